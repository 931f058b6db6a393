/**
 * opencode takes the message that was made last for the last one. Were the clock put back in the middle of a run, an
 * answer would count as older than the question: 1.18 then asks the model again and again, and without end.
 */

/**
 * A clock that never goes back: where `now` does, it goes on from where it was, until `now` has come as far. In
 * milliseconds, as `now`. Pure but for what it remembers.
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

/** From now on the clock that this process makes its messages by never goes back. */
export function keepClockRising(): void {
  if (isRising) return
  isRising = true
  Date.now = risingClock(Date.now.bind(Date))
}
