import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { byteName, displayName } from '../../../src/platform/byte-names.ts'
import { sortIgnored } from '../../../src/worktrees/at-risk/ignored-files.ts'

let root: string
beforeEach(() => void (root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-ignored-'))))
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const megabyte = 1024 * 1024
/** Makes a file of that size, without its bytes. */
function file(name: string, bytes = 1) {
  fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
  fs.closeSync(fs.openSync(path.join(root, name), 'w'))
  fs.truncateSync(path.join(root, name), bytes)
}
const sort = (...names: string[]) => {
  const { kept, left, output, generated } = sortIgnored(root, names.map(byteName))
  return { kept: kept.map(displayName).sort(), left, output, generated: generated.sort() }
}
const nothing = { kept: [], left: [], output: [], generated: [] }

it('keeps what is small and names what is large, in every directory, also where tools build', () => {
  for (const directory of ['scratch', 'tmp', 'build']) {
    file(`${directory}/notes/today.md`)
    file(`${directory}/dump.sql`, 25 * megabyte)
    expect(sort(`${directory}/`)).toEqual({
      ...nothing,
      kept: [`${directory}/notes/today.md`],
      left: [`${directory}/dump.sql (25 MB)`],
    })
  }
})

it('takes many files in a directory for building as the output of a tool, which is named as a whole where it is too large', () => {
  for (let at = 0; at < 250; at++) file(`target/debug/${at}.o`, 100 * 1024)
  expect(sort('target/')).toEqual({ ...nothing, output: ['target/ (250 files, 25 MB)'] })
  for (let at = 0; at < 250; at++) file(`target/debug/${at}.o`, 1024)
  expect(sort('target/').kept).toHaveLength(250)
  fs.writeFileSync(path.join(root, 'target/CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55\n')
  expect(sort('target/')).toEqual({ ...nothing, generated: ['target/'] })
})

it('leaves out what tools make, wherever it is, and repositories', () => {
  file('scratch/.env')
  file('scratch/node_modules/dep/index.js')
  fs.mkdirSync(path.join(root, 'scratch/clone/.git/objects'), { recursive: true })
  file('scratch/clone/x')
  file('scratch/empty/.git', 0)
  file('scratch/empty/y')
  file('.venv/bin/python')
  expect(sort('scratch/', '.venv/')).toEqual({
    ...nothing,
    kept: ['scratch/.env', 'scratch/empty/y'],
    generated: ['.venv/', 'scratch/node_modules/'],
  })
})

it('keeps the smallest of many, and says how many it does not', () => {
  for (let at = 0; at < 250; at++) file(`${at}.log`, at < 50 ? 1024 * 1024 : 100 * 1024)
  const found = sort(...fs.readdirSync(root))
  expect(found.kept).toHaveLength(200)
  expect(found.left).toEqual(['50 files in the worktree itself (50 MB)'])
})

it('does not wait for a pipe where a tool would say that it can make the directory again', () => {
  file('build/a.o')
  file('target/a.o')
  execFileSync('mkfifo', [path.join(root, 'build/CACHEDIR.TAG')])
  fs.symlinkSync('../build/CACHEDIR.TAG', path.join(root, 'target/CACHEDIR.TAG'))
  expect(sort('build/', 'target/').kept).toEqual(['build/a.o', 'target/CACHEDIR.TAG', 'target/a.o'])
})
