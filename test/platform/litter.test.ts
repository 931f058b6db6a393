import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeAtomic } from '../../src/platform/files.ts'
import { sweepLitter } from '../../src/platform/litter.ts'
import { waitFor } from '../helpers/wait-for.ts'

let directory: string
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-litter-'))
})
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

const dead = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }))

function put(name: string, ageMs: number): void {
  const file = path.join(directory, name)
  fs.writeFileSync(file, 'half a st')
  const at = new Date(Date.now() - ageMs)
  fs.utimesSync(file, at, at)
}

describe('what killed writers left', () => {
  it('is swept away, and nothing else', () => {
    const hour = 3_600_000
    put(`.index.json.${dead}.abc123`, hour)
    put(`.q_1.json.${dead}.zz`, -hour) // by a clock that was ahead
    const kept = [
      `.index.json.${process.pid}.abc123`, // its writer lives
      `.index.json.${dead}.abc124`, // of a pid namespace that cannot be seen, perhaps
      '.hidden',
      '.notes.2026.txt.md',
      `index.json.${dead}.abc123`,
      `q_1.json`,
    ]
    for (const name of kept) put(name, name.endsWith('124') ? 0 : hour)
    expect(sweepLitter(directory)).toBe(2)
    expect(fs.readdirSync(directory).sort()).toEqual(kept.sort())
  })

  it('has the names that writers give', async () => {
    const seen = new Set<string>()
    const watcher = fs.watch(directory, (_, name) => void seen.add(name ?? ''))
    writeAtomic(path.join(directory, 'state.json'), '{}')
    const temporary = await waitFor('the temporary file to be seen', () =>
      [...seen].find((name) => name !== 'state.json' && name !== ''),
    )
    watcher.close()
    put(temporary.replace(`.${process.pid}.`, `.${dead}.`), 3_600_000)
    expect(sweepLitter(directory)).toBe(1)
    expect(fs.readdirSync(directory)).toEqual(['state.json'])
  })

  it('is nothing where there is no directory', () => {
    expect(sweepLitter(path.join(directory, 'none'))).toBe(0)
  })
})
