import { KugetsuError } from '../core/errors.ts'
import { plainLine } from '../core/plain-text.ts'
import { statuses, type Status } from '../sessions/status/status.ts'

/** The statuses that a person names with --status, each alone or several with commas. Throws KugetsuError `usage`. */
export function requireStatuses(words: readonly string[]): Status[] {
  return words.flatMap((word) => word.split(',')).map(requireStatus)
}

function requireStatus(word: string): Status {
  const status = statuses.find((each) => each === word.trim().toLowerCase())
  if (status !== undefined) return status
  throw new KugetsuError(`not a status: ${plainLine(word, 100)}`, {
    hint: `One of ${statuses.toSorted().join(', ')}.`,
    code: 'usage',
  })
}
