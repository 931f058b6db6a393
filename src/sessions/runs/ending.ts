/** How a run ended. */
export interface Ending {
  state: 'idle' | 'error' | 'timeout'
  error?: string | undefined
  /** Ended by a person: an end, not a failure, though opencode reports an aborted message. */
  stopped?: boolean
  /** Its last prompt has never reached the agent. */
  undelivered?: boolean
  /** What the agent said last. */
  answer?: string | undefined
  cost?: number | undefined
  tokens?: Record<string, unknown> | undefined
}
