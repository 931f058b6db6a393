/** Finds the pull requests of runs that ended, in the background, so that nothing waits for a forge. */
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import type { Queue } from '../../queue/queue.ts'
import { withPullRequest } from '../../queue/transitions.ts'
import { findPullRequest } from '../../sessions/file/pull-requests.ts'
import type { Run } from '../../sessions/file/session-file.ts'

export interface PullRequestFinder {
  /** Looks, in the background, for the pull request of a session after its run. */
  look: (session: string, run: Run) => void
  /** A look is in progress. */
  busy: () => boolean
  /** Ends the looks in progress. */
  close: () => Promise<void>
}

/** `changed` is called when a look ends. */
export function createPullRequestFinder(home: Home, queue: Queue, changed: () => void): PullRequestFinder {
  const closing = new AbortController()
  const looks = new Set<Promise<void>>()

  async function find(session: string, run: Run): Promise<void> {
    const signal = AbortSignal.any([home.signal, closing.signal])
    const unknown = (reason: string) => home.progress(`${session}: no pull request found: ${reason}`)
    const url = await findPullRequest({ ...home, signal }, session, unknown)
    if (url === undefined) return
    home.progress(`${session}: its pull request is ${url}`)
    if (run.queue_item !== undefined) await queue.change(run.queue_item, (item) => withPullRequest(item, url))
  }

  function look(session: string, run: Run): void {
    const done = find(session, run)
      .catch((error: unknown) => {
        if (!closing.signal.aborted) home.progress(`${session}: no pull request found: ${messageOf(error)}`)
      })
      .finally(() => {
        looks.delete(done)
        changed()
      })
    looks.add(done)
  }

  return {
    look,
    busy: () => looks.size > 0,
    close: async () => {
      closing.abort(new Error('the daemon ends'))
      await Promise.all(looks)
    },
  }
}
