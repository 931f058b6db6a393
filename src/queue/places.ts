/** Where the queue of files is, below a home. Nothing outside this folder knows it. */
import * as path from 'node:path'

/** The fields of a home that the queue of files needs. */
export interface QueueHome {
  paths: { home: string }
  now: () => Date
  /** Tells the person about an oddity that does not stop the work; one line. */
  warn: (text: string) => void
  /** Aborted when the caller was told to stop. */
  signal: AbortSignal
}

export function placesOf({ paths: { home } }: Pick<QueueHome, 'paths'>) {
  // Not path.join, which takes a tenth of the time of reading the file.
  const at = (...parts: string[]) => [home, ...parts].join(path.sep)
  return {
    items: at('queue', 'items'),
    /** The file of the item with that id. */
    item: (id: string) => at('queue', 'items', `${id}.json`),
    /** The number of the newest item, as the name of a file. */
    numbers: at('queue', 'numbers'),
    queueLock: at('locks', 'queue.lock'),
    /** The whole queue, in the bash tool's first versions. */
    oldQueue: at('queue.json'),
  }
}

/** The directories in which killed writers of tasks may have left temporary files. */
export function writtenDirectories(home: Pick<QueueHome, 'paths'>): string[] {
  return [placesOf(home).items]
}
