import { expect, it } from 'vitest'
import { parseEvent } from '../../../src/opencode2/api/events.ts'
import { reasonOf } from '../../../src/opencode2/reasons.ts'

const meaning = (type: string, data: object) => parseEvent(JSON.stringify({ id: 'evt_1', type, data }))

it('says which message has changed', () => {
  const said = { type: 'said', sessionId: 's', messageId: 'm' }
  expect(meaning('session.inbox.delivered', { sessionID: 's', inboxID: 'm' })).toEqual([said])
  for (const type of ['step.started', 'tool.called', 'tool.failed', 'text.ended', 'step.ended']) {
    expect(meaning(`session.${type}`, { sessionID: 's', assistantMessageID: 'm' })).toEqual([said])
  }
})

it('tells sub-agents, ends, failures, retries and requests', () => {
  expect(meaning('session.created', { sessionID: 's' })).toEqual([])
  expect(meaning('session.created', { sessionID: 's', parentID: 'p' })).toEqual([
    { type: 'child', sessionId: 's', parentId: 'p' },
  ])
  const changed = { type: 'news', sessionId: 's', news: 'changed' }
  expect(meaning('session.execution.succeeded', { sessionID: 's' })).toEqual([changed])
  const error = { type: 'unknown', message: 'Agent not found: "x"\n  at somewhere' }
  expect(meaning('session.execution.failed', { sessionID: 's', error })).toEqual([
    { type: 'error', sessionId: 's', text: 'Agent not found: "x" at somewhere', trouble: undefined },
    changed,
  ])
  expect(reasonOf('s')?.text).toContain('Agent not found')
  meaning('session.execution.started', { sessionID: 's' })
  expect(reasonOf('s')).toBeUndefined()
  expect(meaning('session.retry.scheduled', { sessionID: 's', attempt: 2, error: { message: 'busy' } })).toEqual([
    changed,
    { type: 'retry', sessionId: 's', retry: { attempt: 1, text: 'busy' } },
  ])
  expect(meaning('permission.asked', { sessionID: 's' })).toEqual([{ ...changed, news: 'asked' }])
  expect(meaning('form.created', { form: { sessionID: 's' } })).toEqual([{ ...changed, news: 'asked' }])
})

it('passes over what is of no use, and names what it cannot read', () => {
  expect(meaning('session.text.delta', { sessionID: 's', delta: '"type":"session.step.ended"' })).toEqual([])
  expect(meaning('server.connected', {})).toEqual([])
  expect(parseEvent('no JSON')).toEqual([])
  expect(meaning('session.step.ended', { sessionID: 's' })).toEqual([
    { type: 'misread', text: expect.stringContaining('(session.step.ended)') },
  ])
})
