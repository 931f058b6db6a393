/** Why an issue is where it is, in words: from what is on file, without asking anybody. Pure. */
import { lasting } from '../../core/wording.ts'
import type { Item } from '../../queue/item.ts'
import { isFinished } from '../../queue/transitions.ts'
import { atWork, queued } from './at-work.ts'
import { ended, endedTask, ends, withoutSession } from './ended.ts'
import type { Explanation, Facts } from './facts.ts'

/** What is noted when a start comes to nothing. */
const beginnings = ['refused', 'undone', 'gave_up', 'removed', 'destroyed']
/** The states of a session that has an agent, or had one until something died. */
const busy = ['running', 'waiting', 'starting', 'interrupted']

/** undefined when nothing was ever heard of it. */
export function explain(facts: Facts): Explanation | undefined {
  const { session, run, item: asked } = facts
  const isAskedFor = asked === undefined || (!isFinished(asked) && run?.queue_item === asked.id)
  const item = asked ?? taskOf(facts)
  // Of a start that was cut off nothing is left but its task, if it has one.
  const isBegunAnew = session?.state === 'interrupted' && run === undefined && item?.state === 'pending'
  if (session !== undefined && busy.includes(session.state) && isAskedFor && !isBegunAnew) return atWork(facts, session)
  if (item?.state === 'pending') return queued(facts, item)
  if (item?.state === 'notified') {
    return {
      state: 'working',
      sentences: [`An agent has had it ${lasting(item.notified_at, facts.now)}, and how that ended is not noted yet.`],
      next: [`kugetsu queue show ${item.id}`],
    }
  }
  if (asked !== undefined) return endedTask(facts, asked)
  const last = facts.decisions.findLast(({ decision }) => beginnings.includes(decision) || ends.includes(decision))
  const task = item !== undefined && (item.completed_at ?? '') >= (last?.at ?? '') ? item : undefined
  if (session !== undefined) return ended(facts, session, last, task)
  return task !== undefined ? endedTask(facts, task) : last && withoutSession(facts, last)
}

/** The task of the issue that tells most: one that waits or is at work, else the newest. */
function taskOf({ ref, queue }: Facts): Item | undefined {
  const own = queue.filter(({ issue_ref }) => ref !== null && issue_ref?.toLowerCase() === ref.toLowerCase())
  return own.find((item) => !isFinished(item)) ?? own.at(-1)
}
