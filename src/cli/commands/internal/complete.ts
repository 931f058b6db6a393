import type { Command } from 'commander'
import { candidates, type Candidate } from '../../completion/candidates.ts'
import { valuesIn } from '../../completion/values.ts'
import type { Context } from '../../terminal/context.ts'
import { isHidden } from '../../define.ts'

/**
 * Answers a shell: a candidate for the last of the words a line, a tab and its description after it. A person is
 * typing, so nothing is ever told of what goes wrong.
 */
export function runComplete(context: Context, program: Command | null, words: readonly string[]): void {
  let found: Candidate[] = []
  try {
    if (program !== null) found = candidates(program, words, valuesIn({ ...context, warn: () => {} }), isHidden)
  } catch {
    // no candidates then
  }
  for (const { value, description } of found) {
    context.io.out(description ? `${value}\t${description.replace(/\s+/g, ' ')}\n` : `${value}\n`)
  }
}
