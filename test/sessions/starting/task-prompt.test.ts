import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { SessionRecord } from '../../../src/sessions/file/session-file.ts'
import { rememberAsked } from '../../../src/sessions/runs/conversation.ts'
import { taskPrompt, type Task } from '../../../src/sessions/starting/task-prompt.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

const existing: SessionRecord = {
  type: 'forked',
  state: 'idle',
  issue_ref: 'forge.test/me/app#1',
  opencode_session_id: 'ses_1',
  branch_name: 'fix/issue-1',
}
const task: Task = {
  ref: { host: 'forge.test', owner: 'me', repo: 'app', id: '1' },
  name: 'forge.test-me-app-1',
  message: 'the next thing',
  existing,
}
const worktree = { path: '/w', branch: 'fix/issue-1', baseBranch: 'main', workExists: true }

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
  rememberAsked(home, task.name, { record: existing, slot: 'a', text: 'the first thing' })
})
afterEach(() => home.cleanup())

const prompt = (more: Partial<Task>, forked: boolean) => taskPrompt(home, { ...task, ...more }, worktree, { forked })

it('an agent that knows its task gets the words alone', () => {
  expect(prompt({}, false)).toBe('the next thing')
  expect(prompt({ message: '' }, false)).toMatch(/^Go on with your task\./)
})

it('one that does not is told what was asked before', () => {
  expect(prompt({}, true)).toMatch(/^You are assigned[^]*\n> the first thing\n[^]*\nthe next thing$/)
  // Of a session file that was lost or set aside as well.
  expect(prompt({ existing: undefined }, true)).toContain('> the first thing')
})

it('one whose first start was killed before it was told anything, too', () => {
  expect(prompt({ existing: { ...existing, briefed: false } }, false)).toMatch(/^You are assigned[^]*> the first thing/)
})

it('one that is to begin anew is not, nor with ENABLE_CONTEXT_DUMP=false', () => {
  expect(prompt({ fresh: true }, true)).not.toContain('the first thing')
  fs.writeFileSync(home.paths.config, 'ENABLE_CONTEXT_DUMP=false\n')
  expect(prompt({}, true)).not.toContain('the first thing')
})
