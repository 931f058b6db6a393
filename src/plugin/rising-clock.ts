/**
 * opencode orders messages by the time they were made. If the clock were put back in the middle of a run, an answer would
 * count as older than its question: 1.18 then asks the model again and again, without end.
 */

/**
 * A clock that never goes back. When `now` goes back, this clock goes on from its last time until `now` has caught up. In
 * milliseconds, like `now`. Pure, except for what it remembers.
 */
export function risingClock(now: () => number): () => number {
  let last = -Infinity
  let ahead = 0
  return () => {
    const time = now()
    if (time >= last) ahead = 0
    else if (time + ahead < last) ahead = last - time
    last = time + ahead
    return last
  }
}

let isRising = false

/** From now on the clock by which this process dates its messages never goes back. */
export function keepClockRising(): void {
  if (isRising) return
  isRising = true
  Date.now = risingClock(Date.now.bind(Date))
}
