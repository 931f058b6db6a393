/** The tasks of the queue that are meant for a session and have not ended. */
import type { Home } from '../../config/home.ts'
import { openQueue } from '../../queue/file-queue.ts'
import type { Item } from '../../queue/item.ts'
import { issueKey } from '../../queue/pick.ts'
import { isFinished } from '../../queue/transitions.ts'
import { pmAgentSession, readSession } from './store.ts'

export interface QueuedTasks {
  /** Those that wait or are at work now, of any of the sessions. */
  unfinished: () => Promise<Item[]>
  /** Those that `unfinished` has named before and that have ended as an error since; what a person stopped is none. */
  failed: () => Promise<Item[]>
}

/** Follows the tasks of the sessions with these names. */
export function followTasks(home: Home, names: readonly string[]): QueuedTasks {
  const queue = openQueue(home)
  const issues = new Set(names.flatMap((name) => readSession(home, name)?.issue_ref ?? []).map(issueKey))
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
