import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { parseRef } from '../../../src/core/issue-ref.ts'
import { entryOf } from '../../../src/git/worktree-entries.ts'
import { readSession } from '../../../src/sessions/file/store.ts'
import { mirrorOf } from '../../../src/sessions/file/worktree-handles.ts'
import { ensureIssueWorktree } from '../../../src/sessions/starting/ensure-worktree.ts'
import { createUndo } from '../../../src/sessions/starting/undo.ts'
import { beginWorktree, discardWorktree } from '../../../src/worktrees/worktrees.ts'
import { createIssueGround, type IssueGround } from '../../helpers/issue-ground.ts'

let ground: IssueGround | undefined
afterEach(() => ground?.cleanup())

it('makes a worktree anew whose making was cut off, also when the session has it on file from before', async () => {
  ground = createIssueGround({ 'README.md': 'hello\n' })
  const { ref: text, name, path: place } = await ground.issue(1)
  const home = ground.service
  const ref = parseRef(text, { defaultHost: '' })
  const mirror = mirrorOf(home, ref)
  const wanted = { mirror, path: place, branch: 'fix/issue-1' }
  // A destroy was killed before it forgot the session, and then a start before the files were there.
  await discardWorktree({ ...wanted, deleteBranch: false })
  await beginWorktree({ ...wanted, base: undefined })
  const existing = readSession(home, name)
  expect([existing?.worktree_path, fs.readdirSync(place)]).toEqual([place, ['.git']])

  const ready = await ensureIssueWorktree(
    home,
    { ref, name, existing },
    createUndo(() => {}),
  )
  expect(ready).toMatchObject({ path: place, branch: 'fix/issue-1' })
  expect(fs.readFileSync(path.join(place, 'README.md'), 'utf8')).toBe('hello\n')
  expect(entryOf(mirror.path, place)).toMatchObject({ locked: undefined })
})
