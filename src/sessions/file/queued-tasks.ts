/** The tasks in the queue that are for a session and have not ended. */
import type { Home } from '../../config/home.ts'
import { openQueue } from '../../queue/file-queue.ts'
import type { Item } from '../../queue/item.ts'
import { issueKey } from '../../queue/pick.ts'
import { isFinished } from '../../queue/transitions.ts'
import { pmAgentSession, readSession } from './store.ts'

export interface QueuedTasks {
  /** The tasks of any of the sessions that wait or are at work now. */
  unfinished: () => Promise<Item[]>
  /** The tasks that `unfinished` returned before and that have ended as an error since, but not those a person stopped. */
  failed: () => Promise<Item[]>
}

/** Whether a task of the issue waits in the queue, or is at work. */
export async function hasTask(home: Home, issueRef: string): Promise<boolean> {
  return (await followTasks(home, [], [issueRef]).unfinished()).length > 0
}

/** Follows the tasks of the sessions with these names, and those of issues that have none yet, by their refs. */
export function followTasks(home: Home, names: readonly string[], refs: readonly string[] = []): QueuedTasks {
  const queue = openQueue(home)
  const known = names.flatMap((name) => readSession(home, name)?.issue_ref ?? [])
  const issues = new Set([...known, ...refs].map(issueKey))
  const isMeant = ({ kind, issue_ref }: Item) =>
    kind === 'pm' ? names.includes(pmAgentSession) : issues.has(issueKey(issue_ref))
  const seen = new Set<string>()
  return {
    unfinished: async () => {
      const found = await queue.each((item) => (isMeant(item) && !isFinished(item) ? [item] : []))
      for (const { id } of found.flat()) seen.add(id)
      return found.flat()
    },
    failed: async () => {
      const items = (await Promise.all([...seen].map((id) => queue.get(id)))).filter((item) => item !== undefined)
      return items.filter((item) => item.state === 'error' && item.attempts.at(-1)?.outcome !== 'stopped')
    },
  }
}
