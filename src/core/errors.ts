/** Exit codes of every command; documented in `kugetsu help` and docs/exit-codes.md. */
export const exitCodes = { done: 0, failed: 1, noFreeSlot: 2, timedOut: 124, interrupted: 130 } as const

export interface ErrorDetails {
  /** What the user can do next, as one sentence or command. */
  hint?: string
  /** A stable word for scripts (`--json`), such as `no_free_slot`. */
  code?: string
  exitCode?: number
  cause?: unknown
}

/**
 * Something a user can mend. It prints as one line and a hint; every other error is a defect of ours
 * and keeps its stack for `--debug`.
 */
export class KugetsuError extends Error {
  override readonly name = 'KugetsuError'
  readonly hint: string | undefined
  readonly code: string
  readonly exitCode: number

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause })
    this.hint = details.hint
    this.code = details.code ?? 'failed'
    this.exitCode = details.exitCode ?? exitCodes.failed
  }
}

/** The message of anything thrown, as one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/\s+/g, ' ').trim()
}

/** The `code` of a system error (`ENOENT`), if it has one. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
