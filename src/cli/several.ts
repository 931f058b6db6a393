/** Commands that take several issues: each gets its own line, and one failure does not hold up the others. */
import { KugetsuError } from '../core/errors.ts'
import type { Status } from '../sessions/status/status.ts'
import { readIssues, type Issue } from '../tasks/issues.ts'
import { requireStatuses } from './statuses.ts'
import type { Context } from './terminal/context.ts'
import { printJson } from './terminal/output.ts'
import { describeError, renderError } from './terminal/render-error.ts'

/**
 * Does `work` for each ref, one after the other. A single ref fails as the work does. Of several, each failure is
 * printed, and the exit code is the first of 1, 2, 3, 124 among them. With `json` the results are printed: of a single
 * ref as they are, of several as an array, with `{ issue_ref, error }` for a failure.
 */
export async function forEachRef(
  context: Context,
  options: { json?: boolean; isList?: boolean },
  refs: readonly string[],
  work: (ref: string) => Promise<unknown>,
): Promise<void> {
  const [first] = refs
  if (refs.length === 1 && first !== undefined && options.isList !== true) {
    const result = await work(first)
    if (options.json === true) printJson(context, result)
    return
  }
  finishAttempts(context, options, await attemptEach(context, options, refs, work), (result) => result)
}

/** What became of the work for one ref: its result, or with an error what --json shows of it. */
export interface Attempt<T> {
  ref: string
  result?: T
  error?: ReturnType<typeof describeError>
  exitCode: number
}

/** Does `work` for each ref, one after the other. Each failure is printed, unless with `json`. */
export async function attemptEach<T>(
  context: Context,
  options: { json?: boolean },
  refs: readonly string[],
  work: (ref: string) => Promise<T>,
): Promise<Attempt<T>[]> {
  const attempts: Attempt<T>[] = []
  for (const ref of refs) {
    try {
      attempts.push({ ref, result: await work(ref), exitCode: 0 })
    } catch (error) {
      if (context.signal.aborted || !(error instanceof KugetsuError)) throw error
      if (options.json !== true) renderError(context, named(ref, error, refs.length), { json: false, debug: false })
      attempts.push({ ref, error: describeError(error), exitCode: error.exitCode })
    }
  }
  return attempts
}

/** The error of one of several refs, which says of which. */
function named(ref: string, error: KugetsuError, count: number): KugetsuError {
  if (count === 1 || error.message.includes(ref)) return error
  const { hint, code, exitCode } = error
  return new KugetsuError(`${ref}: ${error.message}`, { ...(hint === undefined ? {} : { hint }), code, exitCode })
}

/**
 * Sets the exit code to the first of 1, 2, 3, 124 among the attempts', and with `json` prints the array of what they
 * came to.
 */
export function finishAttempts<T>(
  context: Context,
  options: { json?: boolean },
  attempts: readonly Attempt<T>[],
  view: (result: T) => unknown,
): void {
  if (options.json === true) {
    printJson(
      context,
      attempts.map(({ ref, result, error }) => (error === undefined ? view(result as T) : { issue_ref: ref, error })),
    )
  }
  const codes = attempts.map(({ exitCode }) => exitCode).filter((code) => code !== 0)
  if (codes.length > 0) context.setExitCode(worstOf(codes))
}

function worstOf(codes: readonly number[]): number {
  return [1, 2, 3, 124].find((code) => codes.includes(code)) ?? Math.max(...codes)
}

export interface Selection {
  refs: string[]
  all?: boolean
  status?: string[]
}

/**
 * The issues for a command: the named ones, or with --all or --status those with such a status; `mayBe` are the
 * statuses for which the command can do something. Throws KugetsuError `usage` for both or for none.
 */
export async function selected(
  context: Context,
  { refs, all = false, status }: Selection,
  mayBe: readonly Status[],
): Promise<{ refs: string[] } | { issues: Issue[] }> {
  const isBySelection = all || status !== undefined
  if (isBySelection && refs.length > 0) {
    throw new KugetsuError('name issues, or choose them by --all or --status: not both', { code: 'usage' })
  }
  if (!isBySelection) {
    if (refs.length > 0) return { refs: [...new Set(refs)] }
    throw new KugetsuError('say which issue is meant', {
      hint: '"kugetsu list" shows them; --all means each of them.',
      code: 'usage',
    })
  }
  const wanted = status === undefined ? mayBe : requireStatuses(status).filter((each) => mayBe.includes(each))
  const issues = await readIssues(context, { all: false, queued: true })
  return { issues: issues.filter((each) => each.issue_ref !== null && wanted.includes(each.status)) }
}
