/** Explains in words why an issue is in its state, only from facts on file. Pure. */
import { lasting } from '../../core/wording.ts'
import { ends } from '../../activity/journal.ts'
import type { Item } from '../../queue/item.ts'
import { isFinished } from '../../queue/transitions.ts'
import { atWork, queued } from './at-work.ts'
import { ended, endedTask, withoutSession } from './ended.ts'
import type { Explanation, Facts } from './facts.ts'

/** The decisions that are noted when an issue is left without an agent. */
const beginnings = ['refused', 'undone', 'gave_up', 'removed', 'destroyed']
/** The states of a session that has an agent, or had one until a process died. */
const busy = ['running', 'waiting', 'starting', 'interrupted']

/** Undefined when nothing is known about the issue. */
export function explain(facts: Facts): Explanation | undefined {
  const { session, run, item: asked } = facts
  const isAskedFor = asked === undefined || (!isFinished(asked) && run?.queue_item === asked.id)
  const item = asked ?? taskOf(facts)
  // A start that was cut off leaves nothing but its task, if it has one.
  const isBegunAnew = session?.state === 'interrupted' && run === undefined && item?.state === 'pending'
  if (session !== undefined && busy.includes(session.state) && isAskedFor && !isBegunAnew) return atWork(facts, session)
  if (item?.state === 'pending') return queued(facts, item)
  if (item?.state === 'notified') {
    return {
      state: 'working',
      sentences: [
        `An agent has had it ${lasting(item.notified_at, facts.now)}, and kugetsu has not recorded its end yet.`,
      ],
      next: [`kugetsu queue show ${item.id}`],
    }
  }
  if (asked !== undefined) return endedTask(facts, asked)
  const last = facts.decisions.findLast(({ decision }) => beginnings.includes(decision) || ends.includes(decision))
  const task = item !== undefined && (item.completed_at ?? '') >= (last?.at ?? '') ? item : undefined
  if (session !== undefined) return ended(facts, session, last, task)
  return task !== undefined ? endedTask(facts, task) : last && withoutSession(facts, last)
}

/** The most telling task of the issue: one that waits or is at work, else the newest. */
function taskOf({ ref, queue }: Facts): Item | undefined {
  const own = queue.filter(({ issue_ref }) => ref !== null && issue_ref?.toLowerCase() === ref.toLowerCase())
  return own.find((item) => !isFinished(item)) ?? own.at(-1)
}
