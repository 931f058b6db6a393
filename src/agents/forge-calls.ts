/** The calls of each kind of forge as text for an agent's prompt: every call it needs, ready to be run. */
import type { CallsFor, Forge, PromptCalls } from '../forges/forge.ts'

export interface ForgeCallsInput extends CallsFor {
  /** The issue's number; without one there are no calls on the issue. */
  number: string | undefined
  /** The variables that may hold the token of this server; the first one set counts. */
  tokens: readonly string[]
}

/** The calls of a forge as a block of lines. The agent has to fill in `<pr>`. */
export function forgeCalls(forge: Forge, input: ForgeCallsInput): string {
  // The text puts it between double quotes of a shell.
  const apiUrl = input.apiUrl.replaceAll('$', '%24')
  return block(input, forge.calls({ ...input, apiUrl }))
}

/**
 * A shell function that gives the token to curl through a pipe from the shell's own printf, because every user who lists
 * processes can read a program's arguments. Standard input stays free for the request body. The inner braces are for
 * zsh, which would otherwise join the pipe and the body.
 */
function forgeFunction({ tokens }: ForgeCallsInput, { header }: PromptCalls): string {
  const token = tokens.reduceRight((rest, name) => `\${${name}:-${rest}}`, '')
  return `forge() { t=${token}; printf '%s\\n' "${header}" | { curl -sS -m 60 -H @/dev/fd/3 "$@" 3<&0 0<&4; }; } 4<&0`
}

function block(input: ForgeCallsInput, calls: PromptCalls): string {
  const { number } = input
  const issue = `${calls.issue}/${number}`
  const lines = [
    'Begin every shell command that calls it with these two lines as they are; they keep the token out of the list of processes:',
    `  api="${calls.api}"`,
    `  ${forgeFunction(input, calls)}`,
    'and then',
    '  Read:  forge "$api/<path>"',
    `  Write: forge -X <method> -H 'Content-Type: application/json' "$api/<path>" --data-binary @- <<'JSON' … JSON`,
    'The paths:',
    ...(number === undefined
      ? []
      : [
          `  - the issue: ${issue}`,
          `  - its comments, all of them: ${issue}/${calls.comments}`,
          `  - comment on it: POST ${issue}/${withoutQuery(calls.comments)} {"body":"…"}`,
        ]),
    `  - open pull requests: ${calls.findPr} (${calls.findNote})`,
    `  - one pull request: ${calls.pr} (${calls.prNote})`,
    `  - its reviews and approvals: ${calls.reviews} (${calls.reviewsNote})`,
    `  - remarks on its lines: ${calls.reviewLines}; ${calls.replyToLine}`,
    `  - its comments: ${calls.prComments}; answer with POST ${withoutQuery(calls.prComments)} {"body":"…"}`,
    `  - its checks: ${calls.checks.join(' and ')}`,
    `  - open one: POST ${calls.open[0]} ${JSON.stringify(calls.open[1])}`,
    `  - merge (only when approved): ${calls.merge[0]} ${calls.merge[1]} ${JSON.stringify(calls.merge[2])}`,
    'A pull request has a number of its own: never put the issue number where <pr> stands. A list that is as long as its page may go on: add &page=2.',
  ]
  return lines.join('\n')
}

function withoutQuery(path: string): string {
  return path.split('?')[0] ?? path
}
