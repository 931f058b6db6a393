import { codeOf, exitCodes, KugetsuError, messageOf } from '../../core/errors.ts'
import { plainText } from '../../core/plain-text.ts'
import { isOutOfHandles, noHandles } from '../../platform/file-handles.ts'
import type { Context } from './context.ts'
import { printJson, styled } from './output.ts'

/**
 * Reports an error in one line and a hint, and returns its exit code. With `json` the report is one document on standard
 * output. A stack is shown with `debug` only.
 */
export function renderError(context: Context, error: unknown, options: { json: boolean; debug: boolean }): number {
  if (context.signal.aborted && codeOf(context.signal.reason) !== 'unexpected') {
    context.io.err('Interrupted\n')
    return exitCodes.interrupted
  }
  const known = error instanceof KugetsuError ? error : notLoaded(error)
  const message = known === undefined ? `unexpected: ${messageOf(error)}` : messageOf(known)
  const hint =
    known === undefined
      ? 'This is a defect of kugetsu: run it again with --debug and report what it prints.'
      : known.hint
  if (options.json) {
    printJson(context, {
      error: known === undefined ? { message, hint, code: 'unexpected' } : describeError(known),
    })
  } else {
    // Messages quote git, opencode and files.
    context.io.err(`${styled(context, 'red', 'Error:')} ${plainText(message)}\n`)
    if (hint !== undefined)
      context.io.err(`${styled(context, 'dim', 'Hint:')} ${plainText(hint).replace(/\s+/g, ' ')}\n`)
  }
  if (options.debug) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      context.io.err(`${cause.stack ?? cause.message}\n`)
    }
  }
  return known?.exitCode ?? exitCodes.failed
}

/** An error as `--json` prints it. */
export function describeError(error: KugetsuError): { message: string; hint: string | null; code: string } {
  return { message: messageOf(error), hint: error.hint ?? null, code: error.code }
}

/**
 * The error for a part of kugetsu itself that cannot be loaded: it is missing, because npm removes and writes the files one
 * by one, or it cannot be opened.
 */
function notLoaded(error: unknown): KugetsuError | undefined {
  if (isOutOfHandles(error)) return noHandles(error)
  if (codeOf(error) !== 'MODULE_NOT_FOUND') return undefined
  return new KugetsuError(`kugetsu is not complete: ${messageOf(error)}`, {
    hint: 'During an installation or upgrade, try again in a moment. Otherwise install kugetsu again.',
    code: 'incomplete',
    cause: error,
  })
}
