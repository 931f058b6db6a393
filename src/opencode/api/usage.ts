import type { Message } from './schemas.ts'

/** In the form that opencode uses for a session. */
export interface Spent {
  /** In dollars. */
  cost: number
  tokens: { input: number; output: number; reasoning: number; cache: { read: number; write: number } }
}

/** The total cost of the messages of a session; the costs of its sub-agents are in their own sessions. */
export function spentIn(messages: readonly Message[]): Spent {
  const spent: Spent = { cost: 0, tokens: { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } } }
  for (const { info } of messages) {
    const { input = 0, output = 0, reasoning = 0, cache = {} } = info.tokens ?? {}
    spent.cost += info.cost ?? 0
    spent.tokens.input += input
    spent.tokens.output += output
    spent.tokens.reasoning += reasoning
    spent.tokens.cache.read += cache.read ?? 0
    spent.tokens.cache.write += cache.write ?? 0
  }
  // Sums of fractions are inexact: less than a millionth of a dollar means nothing.
  return { ...spent, cost: Math.round(spent.cost * 1e6) / 1e6 }
}
