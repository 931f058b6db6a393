/** What the model makes the demo's agents do: real tool calls, in the order given here. */
import * as path from 'node:path'
import type { Answer, ModelRequest } from './chat-completions.ts'
import { toolResults } from './script.ts'

interface Part {
  /** The issue's number. */
  issue: string
  /** What the agent is asked to do. */
  message: string
  turns: (worktree: string) => Answer[]
}

const bill: Part = {
  issue: '1',
  message: 'Two cups cost 250300 cents',
  turns: (worktree) => [
    { text: 'First I look at what the test says.', ...bash('node bill.test.js') },
    read(path.join(worktree, 'bill.js')),
    edit(path.join(worktree, 'bill.js'), { oldString: 'sum + price)', newString: 'sum + Number(price), 0)' }),
    bash('node bill.test.js'),
    bash('git commit -qam "Add prices as numbers" && git push origin HEAD'),
    {
      text: 'Prices are text: they were joined, not added. Fixed and pushed.',
    },
  ],
}

const split: Part = {
  issue: '2',
  message: 'Without guests everybody pays NaN',
  turns: (worktree) => [
    bash('node split.test.js'),
    read(path.join(worktree, 'split.js')),
    edit(path.join(worktree, 'split.js'), {
      oldString: 'cents / guests',
      newString: 'guests === 0 ? 0 : cents / guests',
    }),
    bash('node split.test.js'),
    bash('git commit -qam "Let nobody pay nothing" && git push origin HEAD'),
    { text: 'Zero was divided by zero. Fixed and pushed.' },
  ],
}

export const parts = [bill, split] as const

export interface Screenplay {
  /** The answer to an agent's request; undefined for an agent without a part. */
  answer: (request: ModelRequest) => Promise<Answer | undefined>
  /** Resolves once every agent is in the middle of its work, where it waits for goOn(). */
  allAtWork: Promise<void>
  goOn: () => void
}

/** Agents do their first turn, then wait; `worktreeOf` tells where the agent of an issue works. */
export function createScreenplay(worktreeOf: (issue: string) => string): Screenplay {
  const begun = new Set<string>()
  const gate = deferred()
  const full = deferred()
  return {
    allAtWork: full.done,
    goOn: gate.resolve,
    answer: async (request) => {
      if (!request.agentTurn) return undefined
      const issue = /You are assigned to \S+#(\d+)/.exec(request.asked)?.[1]
      const part = parts.find((each) => each.issue === issue)
      if (part === undefined) return undefined
      const turn = toolResults(request)
      if (turn > 0) {
        begun.add(part.issue)
        if (begun.size === parts.length) full.resolve()
        await gate.done
      }
      return part.turns(worktreeOf(part.issue))[turn]
    },
  }
}

function bash(command: string): Answer {
  return { call: { name: 'bash', args: { command, description: command } } }
}

function read(filePath: string): Answer {
  return { call: { name: 'read', args: { filePath } } }
}

function edit(filePath: string, change: { oldString: string; newString: string }): Answer {
  return { call: { name: 'edit', args: { filePath, ...change } } }
}

function deferred(): { done: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const done = new Promise<void>((settle) => (resolve = settle))
  return { done, resolve }
}
