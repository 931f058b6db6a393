import { expect, it } from 'vitest'
import type { Message } from '../../../src/opencode/api/schemas.ts'
import { spentIn } from '../../../src/opencode/api/usage.ts'

const message = (info: object): Message => ({
  info: { id: 'msg_1', sessionID: 'ses_1', role: 'assistant', ...info },
  parts: [],
})

it('adds up what messages cost, whatever they leave out', () => {
  const tokens = { input: 100, output: 20, reasoning: 3, cache: { read: 50, write: 7 } }
  const messages = [
    message({ role: 'user' }),
    message({ cost: 0.1, tokens }),
    message({ cost: 0.2, tokens: { ...tokens, cache: undefined } }),
    message({ cost: 0 }),
  ]
  expect(spentIn(messages)).toEqual({
    cost: 0.3,
    tokens: { input: 200, output: 40, reasoning: 6, cache: { read: 50, write: 7 } },
  })
  expect(spentIn([]).cost).toBe(0)
})
