import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { removeSnapshots } from '../../src/opencode/snapshots.ts'

let data: string
beforeEach(() => {
  data = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-snapshots-'))
})
afterEach(() => fs.rmSync(data, { recursive: true, force: true }))

const worktree = '/home/mika/.kugetsu/worktrees/forge.test-me-app-1'

function snapshot(project: string, of: string, named = of): string {
  const directory = path.join(data, 'opencode', 'snapshot', project, createHash('sha1').update(of).digest('hex'))
  fs.mkdirSync(path.join(directory, 'objects'), { recursive: true })
  fs.writeFileSync(path.join(directory, 'config'), `[core]\n\tbare = false\n\tworktree = ${named}\n`)
  return directory
}

it('removes the snapshots of that worktree, and no others', () => {
  const gone = [snapshot('one', worktree), snapshot('two', worktree)]
  const kept = [snapshot('one', `${worktree}0`), snapshot('three', worktree, '/elsewhere')]
  const linked = path.join(data, 'opencode', 'snapshot', 'four', path.basename(gone[0] ?? ''))
  fs.mkdirSync(path.dirname(linked))
  fs.symlinkSync(kept[0] ?? '', linked)
  expect(removeSnapshots({ XDG_DATA_HOME: data }, '/nowhere', worktree)).toBe(2)
  expect(gone.filter((directory) => fs.existsSync(directory))).toEqual([])
  expect([...kept, linked].filter((directory) => !fs.existsSync(directory))).toEqual([])
  expect(removeSnapshots({}, path.join(data, 'none'), worktree)).toBe(0)
})
