import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { letReadersThrough, mayBlock } from '../../src/platform/pipes.ts'

let root: string
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'pipes-'))
})
afterEach(() => fs.rmSync(root, { recursive: true }))

const at = (name: string) => path.join(root, name)

it('a reader of a pipe gets an empty file, each time, for as long as it is one', async () => {
  execFileSync('mkfifo', [at('pipe')])
  fs.writeFileSync(at('file'), 'text')
  letReadersThrough([at('file'), at('pipe'), at('none')])
  for (let time = 0; time < 3; time++) expect(await fs.promises.readFile(at('pipe'), 'utf8')).toBe('')
  expect(fs.readFileSync(at('file'), 'utf8')).toBe('text')
})

it('what may be opened without waiting is a file or a directory, or not there', () => {
  execFileSync('mkfifo', [at('pipe')])
  fs.symlinkSync('pipe', at('link'))
  fs.symlinkSync('/dev/zero', at('device'))
  fs.writeFileSync(at('file'), '')
  expect(['pipe', 'link', 'device', 'file', '.', 'none'].filter((name) => mayBlock(at(name)))).toEqual([
    'pipe',
    'link',
    'device',
  ])
})
