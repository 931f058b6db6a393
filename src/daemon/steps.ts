/** Counts what an agent's steps have in common, to tell work from a circle that costs money for hours. Pure. */
import { plainLine } from '../core/plain-text.ts'
import type { MessageInfo, Part } from '../opencode/shapes.ts'
import { recordAt, textAt } from '../opencode/transcript-text.ts'

/** One call of a tool in a step that is over. */
interface Call {
  tool: string
  /** What it was asked to do, the same text for the same call. */
  input: string
  /** What went wrong, undefined when it succeeded. */
  failure: string | undefined
}

/** One request to the model and what was done with its answer. */
interface Step {
  /** The model's reason to stop, in opencode's words. */
  finish: string | undefined
  calls: readonly Call[]
}

export interface Counted {
  /** Why the agent is to be aborted: nothing will come of its steps. */
  stuck?: string
  /** The same call has succeeded so often that a person may want to know. */
  repeated?: string
}

/** Steps in a row that neither call a tool nor end the run; opencode asks the model again after each. */
const mostEmpty = 5
const mostFailures = 10
/** Told at this number of the same call in a row, and each time it has doubled: tests and status pages are asked often. */
const firstToldAt = 10

interface StepCounter {
  /** To be told of each step once, in order. */
  add: (step: Step) => Counted
  /** Somebody has told the agent something: what it did before is no circle. */
  reset: () => void
}

export function createStepCounter(): StepCounter {
  let empty = 0
  let same = { key: '', count: 0 }

  function add({ finish, calls }: Step): Counted {
    if (calls.length === 0) {
      const asksAgain = finish === undefined || ['', 'tool-calls', 'unknown'].includes(finish)
      empty = asksAgain ? empty + 1 : 0
      if (empty < mostEmpty) return {}
      return {
        stuck: `aborted: ${empty} steps in a row had no call of a tool and no end (finish reason ${finish || 'none'})`,
      }
    }
    empty = 0
    let counted: Counted = {}
    for (const call of calls) counted = { ...counted, ...count(call) }
    return counted
  }

  function count({ tool, input, failure }: Call): Counted {
    const key = JSON.stringify([tool, input, failure !== undefined])
    same = { key, count: same.key === key ? same.count + 1 : 1 }
    if (failure !== undefined) {
      if (same.count < mostFailures) return {}
      return { stuck: `aborted: the same call of ${tool} failed ${same.count} times in a row: ${failure}` }
    }
    const isTold = same.count >= firstToldAt && Number.isInteger(Math.log2(same.count / firstToldAt))
    return isTold
      ? { repeated: `${same.count} times in a row the same call of ${tool}, which succeeds: ${plainLine(input, 200)}` }
      : {}
  }

  return {
    add,
    reset: () => {
      empty = 0
      same = { key: '', count: 0 }
    },
  }
}

/** Reads the steps of one session from its events. */
export interface StepReader {
  /** `isPrompt`: it is one of ours; opencode has others, such as that which asks for a summary in the middle of a circle. */
  message: (info: MessageInfo, isPrompt: boolean) => Counted
  part: (part: Part) => void
}

export function createStepReader(): StepReader {
  const counter = createStepCounter()
  /**
   * The calls of each message that is not over, by their parts; undefined for one that has not ended: without snapshots
   * opencode may tell of its end after that of the message.
   */
  const calls = new Map<string, Map<string, Call | undefined>>()
  const over = new Set<string>()

  function message(info: MessageInfo, isPrompt: boolean): Counted {
    if (over.has(info.id)) return {} // opencode tells of a message again when it notes what changed since
    if (info.role === 'user') {
      if (isPrompt) {
        over.add(info.id)
        counter.reset()
      }
      return {}
    }
    if (info.time?.completed === undefined || info.error !== undefined) return {}
    over.add(info.id)
    const begun = [...(calls.get(info.id)?.values() ?? [])]
    calls.delete(info.id)
    const own = begun.filter((call) => call !== undefined)
    if (begun.length > 0 && own.length === 0) return {}
    return info['summary'] === true ? {} : counter.add({ finish: info.finish, calls: own })
  }

  function part(each: Part): void {
    if (each.type !== 'tool' || over.has(each.messageID)) return
    const own = calls.get(each.messageID) ?? new Map<string, Call | undefined>()
    calls.set(each.messageID, own.set(each.id, callOf(each)))
  }

  return { message, part }
}

/** A call that has ended. */
function callOf(part: Part): Call | undefined {
  const state = recordAt(part, 'state')
  const status = textAt(state, 'status')
  if (status !== 'completed' && status !== 'error') return undefined
  const input = recordAt(state, 'input') ?? {}
  const tool = textAt(part, 'tool') ?? 'a tool'
  // opencode's stand-in for an unknown tool, and for arguments that are none: what was wrong with them differs each time.
  if (tool === 'invalid') {
    return { tool: nameOf(textAt(input, 'tool') ?? tool), input: '', failure: reasonOf(textAt(input, 'error')) }
  }
  const failure = status === 'error' ? reasonOf(textAt(state, 'error')) : undefined
  return { tool: nameOf(tool), input: JSON.stringify(input), failure }
}

function nameOf(tool: string): string {
  return plainLine(tool, 60)
}

function reasonOf(text: string | undefined): string {
  return plainLine(text ?? '', 200) || 'it does not say why'
}
