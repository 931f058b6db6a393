/** The tasks in the queue that are for a session and have not ended. */
import type { Home } from '../../config/home.ts'
import type { Item } from '../../queue/item.ts'
import { issueKey, ownerKey } from '../../queue/pick.ts'
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
  const queue = home.queue()
  const known = names.flatMap((name) => readSession(home, name)?.issue_ref ?? [])
  const owners = new Set([...known, ...refs].map(issueKey))
  if (names.includes(pmAgentSession)) owners.add(ownerKey({ kind: 'pm', issue_ref: null }))
  const seen = new Set<string>()
  return {
    unfinished: async () => {
      const { items } = await queue.list({ states: ['pending', 'notified'], owners })
      for (const { id } of items) seen.add(id)
      return items
    },
    failed: async () => {
      const items = (await Promise.all([...seen].map((id) => queue.get(id)))).filter((item) => item !== undefined)
      return items.filter((item) => item.state === 'error' && item.attempts.at(-1)?.outcome !== 'stopped')
    },
  }
}
