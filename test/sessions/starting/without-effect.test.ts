import * as os from 'node:os'
import { expect, it } from 'vitest'
import { refuseWithoutEffect } from '../../../src/sessions/starting/without-effect.ts'
import type { SessionRecord } from '../../../src/sessions/file/session-file.ts'

const idle = { issue_ref: 'h/me/app#1', base_branch: 'main', worktree_path: os.tmpdir() } as SessionRecord
const atWork = { ...idle, run: { message_ids: ['m'] } } as SessionRecord
const saidOf = (wishes: Parameters<typeof refuseWithoutEffect>[0], record: SessionRecord | undefined) => {
  try {
    return refuseWithoutEffect(wishes, record)
  } catch (error) {
    return (error as Error).message
  }
}

it('a message that joins the work brings no other model, agent, base or pull request', () => {
  expect(saidOf({ model: 'a/b', agent: 'plan' }, atWork)).toBe(
    'an agent is at work on h/me/app#1, and a message to it cannot set --model and --agent',
  )
  expect(saidOf({ prUrl: 'https://x/pull/1' }, atWork)).toContain('a pull request')
  expect(saidOf({}, atWork)).toBeUndefined()
  expect(saidOf({ model: 'a/b', agent: 'plan' }, idle)).toBeUndefined()
})

it('a worktree stays on the base that it has, unless it is made anew', () => {
  expect(saidOf({ base: 'next' }, idle)).toBe(
    'h/me/app#1 already has a worktree, which started from main and not from next',
  )
  for (const record of [undefined, { ...idle, worktree_path: '/nowhere' }, { ...idle, base_branch: null }]) {
    expect(saidOf({ base: 'next' }, record as SessionRecord)).toBeUndefined()
  }
  expect(saidOf({ base: 'main' }, idle)).toBeUndefined()
  expect(saidOf({ base: 'next', fresh: true }, idle)).toBeUndefined()
})
