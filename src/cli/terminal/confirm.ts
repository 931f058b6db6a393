import { exitCodes, KugetsuError } from '../../core/errors.ts'
import type { Context } from './context.ts'

/**
 * Asks before something is removed. Throws KugetsuError `declined`, `interrupted` when there is no answer, or `usage` when
 * no person can be asked and -y was not given.
 */
export async function confirm(
  context: Context,
  options: { yes?: boolean },
  question: string,
  words: { action: string; declined: string },
): Promise<void> {
  if (options.yes === true) return
  if (!context.io.interactive) {
    throw new KugetsuError(`${words.action} asks first, and there is no terminal to ask on`, {
      hint: 'Pass --yes to skip the question.',
      code: 'usage',
    })
  }
  const answer = await context.io.ask(`${question} [y/N] `)
  const hint = 'Nothing was changed.'
  if (answer === undefined) {
    throw new KugetsuError(words.declined, { hint, code: 'interrupted', exitCode: exitCodes.interrupted })
  }
  if (!/^y(es)?$/i.test(answer.trim())) throw new KugetsuError(words.declined, { hint, code: 'declined' })
}
