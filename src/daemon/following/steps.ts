/** Counts an agent's repeated steps, to tell work from a circle that costs money for hours. Pure. */
import { plainLine } from '../../core/plain-text.ts'
import type { Entry, MessageFacts, ToolCall } from '../../driver/entry.ts'

/** A call of a tool that has ended. */
type Call = NonNullable<ToolCall['ended']>

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
  message: (message: MessageFacts, isPrompt: boolean) => Counted
  entry: (entry: Entry) => Counted
}

export function createStepReader(): StepReader {
  const counter = createStepCounter()
  /**
   * Whether each call has ended, by message and entry. A message is kept until it is over and all its calls have ended:
   * without snapshots opencode may report the end of a call after the end of its message.
   */
  const calls = new Map<string, Map<string, boolean>>()
  const over = new Set<string>()

  function message({ id, role, isOver, isFailed, isSummary, finish }: MessageFacts, isPrompt: boolean): Counted {
    if (over.has(id)) return {} // opencode reports a message again when it notes what changed since
    if (role === 'user') {
      if (isPrompt) {
        over.add(id)
        counter.reset()
      }
      return {}
    }
    if (!isOver || isFailed) return {}
    over.add(id)
    const hasCalls = calls.has(id)
    forgetEnded(id)
    return isSummary ? {} : counter.addStep(finish, hasCalls)
  }

  function entry(each: Entry): Counted {
    if (each.kind !== 'call') return {}
    const own = calls.get(each.messageId) ?? new Map<string, boolean>()
    // opencode reports a call again when it notes what changed since, even long after its message.
    if (own.get(each.id) === true || (over.has(each.messageId) && !own.has(each.id))) return {}
    const { ended } = each.call
    calls.set(each.messageId, own.set(each.id, ended !== undefined))
    forgetEnded(each.messageId)
    return ended === undefined ? {} : counter.addCall(ended)
  }

  function forgetEnded(messageId: string): void {
    const own = calls.get(messageId)
    if (over.has(messageId) && own !== undefined && [...own.values()].every(Boolean)) calls.delete(messageId)
  }

  return { message, entry }
}
