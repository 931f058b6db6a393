import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { removeOwnFiles } from '../../src/ending/own-files.ts'
import { makeFullHome } from '../faults/full-home.ts'

let root: string
let home: string
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-own-'))
  home = path.join(root, 'home')
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const put = (name: string) => {
  fs.mkdirSync(path.dirname(path.join(home, name)), { recursive: true })
  fs.writeFileSync(path.join(home, name), 'x')
}

it('removes a home with every kind of state file as a whole', async () => {
  makeFullHome(home)
  for (const name of [
    'config',
    'journal.jsonl.1',
    'locks/mirror-a+b+c.fetches',
    'sessions/a.json.unreadable-20261130T235959123Z-1a2b',
    'queue/items/.q_1.json.4711.1a2b3c',
    'opencode/opencode2.db-wal',
    'opencode/bin/kugetsu',
  ])
    put(name)
  for (const folder of ['base', 'worktrees', 'repos/forge.test/me', 'slots/admission.lock'])
    fs.mkdirSync(path.join(home, folder), { recursive: true })
  expect(await removeOwnFiles(home, true)).toEqual([])
  expect(fs.readdirSync(home).toSorted()).toEqual(['closing.json', 'index.json', 'locks'])
  expect(await removeOwnFiles(home, false)).toEqual([])
  expect(fs.readdirSync(root)).toEqual([])
})

it("leaves everything that is not kugetsu's, and names it", async () => {
  makeFullHome(home)
  const others = [
    'notes.txt',
    'config~',
    'logs/mine.log.txt',
    'env/work.env',
    'base/thoughts.md',
    'worktrees/mine/file',
    'repos/forge.test/me/app.git/HEAD',
    'repos/forge.test/me/.app.git.saved/HEAD',
    'repos/forge.test/me/app.git.unreadable-20261130T235959123Z-1a2b/HEAD',
    'sessions/deeper/a.json',
    'queue/items.json',
  ]
  others.forEach(put)
  fs.symlinkSync(root, path.join(home, 'logs', 'link'))
  const left = await removeOwnFiles(home, false)
  const top = (name: string) => name.replace(/^(worktrees\/mine|repos\/.*git[^/]*|sessions\/deeper)\/.*$/, '$1')
  expect(left.toSorted()).toEqual([...others.map(top), 'logs/link'].map((name) => path.join(home, name)).toSorted())
  for (const name of others) expect(fs.existsSync(path.join(home, name)), name).toBe(true)
  expect(fs.existsSync(path.join(home, 'config'))).toBe(false)
})
