import type { Command } from 'commander'
import { candidates, type Candidate } from '../../completion/candidates.ts'
import { valuesIn } from '../../completion/values.ts'
import type { Context } from '../../terminal/context.ts'
import { isHidden } from '../../define.ts'

/**
 * Answers a shell with candidates for the last of the words: one a line, with a tab and its description after it. A person
 * is typing, so errors are never shown.
 */
export async function runComplete(context: Context, program: Command | null, words: readonly string[]): Promise<void> {
  let found: Candidate[] = []
  try {
    if (program !== null) found = await candidates(program, words, valuesIn({ ...context, warn: () => {} }), isHidden)
  } catch {
    // no candidates
  }
  for (const { value, description } of found) {
    context.io.out(description ? `${value}\t${description.replace(/\s+/g, ' ')}\n` : `${value}\n`)
  }
}
