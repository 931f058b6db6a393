/** A bell: wait() returns when it has rung since the last wait, or after a while. */
export function createWakeUp() {
  let rung = false
  let ring: (() => void) | undefined
  return {
    now: (): void => {
      rung = true
      ring?.()
    },
    /** Waits at most `milliseconds`. */
    async wait(milliseconds: number): Promise<void> {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds)
          ring = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      ring = undefined
      rung = false
    },
  }
}
