import * as fs from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { runNotifyClear, runNotifyList } from '../../../../src/cli/commands/queue/notify.ts'
import { changeSession } from '../../../../src/sessions/file/store.ts'
import { notify } from '../../../../src/activity/notifications.ts'
import { createFakeContext, type FakeContext } from '../../../helpers/fake-context.ts'

const made: FakeContext[] = []
const context = (io: Parameters<typeof createFakeContext>[0] = {}) => {
  const one = createFakeContext(io)
  made.push(one)
  return one
}
afterEach(() => made.splice(0).forEach(({ cleanup }) => cleanup()))

const words = 'The login works again, and there is a test for it: see the pull request, which waits for a review.'
const long = {
  id: 'long',
  type: 'task_completed',
  issue_ref: 'forge.test/some-team/application#14',
  message: words,
} as const

describe('notify list', () => {
  it('fits a terminal of 80 columns, in the words of the list', async () => {
    const at = context({ terminal: true, columns: 80 })
    notify(at, long)
    await runNotifyList(at, {})
    const lines = at.out().trimEnd().split('\n')
    expect(lines.map((line) => line.length <= 80)).toEqual([true, true])
    expect(lines[0]).toMatch(/^AGE +STATUS +REF +MESSAGE$/)
    expect(lines[1]).toMatch(/^0s +done +application#14 +The login.*…$/)
  })

  it('is whole in a pipe', async () => {
    const at = context()
    notify(at, long, { id: 'short', type: 'task_started', issue_ref: null, message: 'look around' })
    await runNotifyList(at, {})
    expect(at.out()).toMatch(
      new RegExp(`^0s +task_completed +${long.issue_ref} +${words}\n0s +task_started +pm-agent +look around\n$`, 'm'),
    )
  })

  it('shows what came of others as text only, and when they have no time', async () => {
    const at = context()
    const record = { type: 'task\u001b[31m_error', issue_ref: '', created_at: '2026-05-01T10:00:00Z' }
    fs.writeFileSync(at.paths.notifications, JSON.stringify([record, { message: 'a\u202eb' }]))
    await runNotifyList(at, {})
    expect(at.out().split('\n').slice(1, 3)).toEqual([
      expect.stringMatching(/^2h +task_error +pm-agent$/),
      expect.stringMatching(/^ +pm-agent +a\ufffdb$/),
    ])
  })

  it('tells of runs of which no daemon has', async () => {
    const at = context()
    const untold = [{ id: 'e', type: 'task_completed', message: 'in silence', timestamp: '2026-05-01T11:59:00.000Z' }]
    await changeSession(at, 'one', () => ({ type: 'forked', issue_ref: 'a/b/c#1', state: 'idle', untold }))
    await runNotifyList(at, {})
    expect(at.out()).toMatch(/^1m +task_completed +a\/b\/c#1 +in silence$/m)
  })
})

it('notify clear says how many it was', async () => {
  const at = context()
  notify(at, long)
  await runNotifyClear(at, {})
  await runNotifyClear(at, { json: true })
  expect(at.out()).toBe('Marked 1 notification as read\n{\n  "cleared": 0\n}\n')
  await runNotifyList(at, { json: true })
  expect(at.out()).toMatch(/\[\]\n$/)
})
