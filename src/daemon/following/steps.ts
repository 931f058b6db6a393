/** Counts an agent's repeated steps, to tell work from a circle that costs money for hours. Pure. */
import { plainLine } from '../../core/plain-text.ts'
import type { MessageInfo, Part } from '../../opencode/api/schemas.ts'
import { recordAt, textAt } from '../../opencode/api/fields.ts'

/** One call of a tool that has ended. */
interface Call {
  tool: string
  /** What the tool was asked to do, the same text for the same call. */
  input: string
  /** What went wrong, undefined when it succeeded. */
  failure: string | undefined
}

export interface Counted {
  /** Why the agent is to be aborted: its steps lead nowhere. */
  stuck?: string
  /** Set when the same call has succeeded so often that a person may want to know. */
  repeated?: string
}

/** Steps in a row that neither call a tool nor end the run; opencode asks the model again after each. */
const mostEmpty = 5
const mostFailures = 10
/** The same call in a row is reported at this number, and each time it has doubled: agents often repeat a test. */
const firstToldAt = 10

interface StepCounter {
  /** To be called once for each call of a tool, when it has ended. */
  addCall: (call: Call) => Counted
  /**
   * To be called once for each request to the model, when its answer is whole. `finish` is the model's reason to stop, in
   * opencode's words.
   */
  addStep: (finish: string | undefined, hasCalls: boolean) => Counted
  /** The agent got a new prompt: what it did before is no circle. */
  reset: () => void
}

function createStepCounter(): StepCounter {
  let empty = 0
  let same = { key: '', count: 0 }

  function addStep(finish: string | undefined, hasCalls: boolean): Counted {
    const asksAgain = finish === undefined || ['', 'tool-calls', 'unknown'].includes(finish)
    empty = asksAgain && !hasCalls ? empty + 1 : 0
    if (empty < mostEmpty) return {}
    return {
      stuck: `aborted: ${empty} steps in a row had no call of a tool and no end (finish reason ${finish || 'none'})`,
    }
  }

  function addCall({ tool, input, failure }: Call): Counted {
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
    addCall,
    addStep,
    reset: () => {
      empty = 0
      same = { key: '', count: 0 }
    },
  }
}

/** Reads the steps of one session from its events. */
export interface StepReader {
  /** `isPrompt`: the message is a prompt of ours. opencode adds others, such as a request for a summary amid a circle. */
  message: (info: MessageInfo, isPrompt: boolean) => Counted
  part: (part: Part) => Counted
}

export function createStepReader(): StepReader {
  const counter = createStepCounter()
  /**
   * Whether each call has ended, by message and part. A message is kept until it is over and all its calls have ended:
   * without snapshots opencode may report the end of a call after the end of its message.
   */
  const calls = new Map<string, Map<string, boolean>>()
  const over = new Set<string>()

  function message(info: MessageInfo, isPrompt: boolean): Counted {
    if (over.has(info.id)) return {} // opencode reports a message again when it notes what changed since
    if (info.role === 'user') {
      if (isPrompt) {
        over.add(info.id)
        counter.reset()
      }
      return {}
    }
    if (info.time?.completed === undefined || info.error !== undefined) return {}
    over.add(info.id)
    const hasCalls = calls.has(info.id)
    forgetEnded(info.id)
    return info['summary'] === true ? {} : counter.addStep(info.finish, hasCalls)
  }

  function part(each: Part): Counted {
    if (each.type !== 'tool') return {}
    const own = calls.get(each.messageID) ?? new Map<string, boolean>()
    // opencode reports a call again when it notes what changed since, even long after its message.
    if (own.get(each.id) === true || (over.has(each.messageID) && !own.has(each.id))) return {}
    const call = callOf(each)
    calls.set(each.messageID, own.set(each.id, call !== undefined))
    forgetEnded(each.messageID)
    return call === undefined ? {} : counter.addCall(call)
  }

  function forgetEnded(messageId: string): void {
    const own = calls.get(messageId)
    if (over.has(messageId) && own !== undefined && [...own.values()].every(Boolean)) calls.delete(messageId)
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
  // opencode's stand-in for an unknown tool and for invalid arguments: what was wrong with them differs each time.
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
