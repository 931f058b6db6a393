/**
 * Work that begins now and is awaited later, with other work in between. Its failure is thrown where it is awaited.
 * Until then Node has no handler for it, treats it as an unhandled rejection, and ends the process. So every promise
 * that the statement which begins it does not await goes through here (test/core/awaited-later.test.ts looks for the
 * others).
 */
export function awaitedLater<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {})
  return work
}
