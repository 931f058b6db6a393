/** What a git failure means, in one line for a person. Git's wording is stable: we run it with LC_ALL=C. */

export type FailureReason =
  | 'aborted'
  | 'timed_out'
  | 'git_missing'
  | 'disk_full'
  | 'locked'
  | 'not_found'
  | 'authentication'
  | 'unknown_host_key'
  | 'unreachable'
  | 'not_a_repository'
  | 'other'

/** The cause of every KugetsuError that comes from git. Holds no credentials. */
export class GitFailure extends Error {
  override readonly name = 'GitFailure'
  readonly reason: FailureReason
  /** Undefined when git did not exit by itself. */
  readonly exitCode: number | undefined
  readonly stderr: string

  constructor(reason: FailureReason, exitCode: number | undefined, stderr: string) {
    super(stderr.trim() === '' ? reason : stderr.trim())
    this.reason = reason
    this.exitCode = exitCode
    this.stderr = stderr
  }
}

/** The git failure behind an error, if there is one. */
export function gitFailure(error: unknown): GitFailure | undefined {
  if (error instanceof GitFailure) return error
  return error instanceof Error && error.cause instanceof GitFailure ? error.cause : undefined
}

// The order matters: ssh and git end most failures with a general "Could not read from remote repository".
const patterns: readonly (readonly [FailureReason, RegExp])[] = [
  ['git_missing', /spawn git ENOENT/],
  ['disk_full', /No space left on device|Disk quota exceeded/i],
  [
    'locked',
    /\.lock': File exists|could not lock config file|cannot lock ref(?![^\n]*; cannot create )|unable to update local ref|incorrect old value/,
  ],
  ['unknown_host_key', /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/],
  [
    'not_found',
    /repository [^\n]*not found|repository not found|does not appear to be a git repository|repository not exported|repository '[^\n]*' does not exist|returned error: (404|410)|could not be found/i,
  ],
  [
    'authentication',
    /Authentication failed|could not read (Username|Password)|terminal prompts disabled|Permission denied \(|Access denied|returned error: 40[13]|Invalid username or/i,
  ],
  [
    'unreachable',
    /Could not resolve|unable to look up|Name or service not known|unable to connect|Failed to connect|Couldn't connect|Connection (refused|reset|timed out|closed)|Network is unreachable|No route to host|hung up unexpectedly|early EOF|Operation timed out|returned error: 5\d\d/i,
  ],
  ['not_a_repository', /not a git repository/i],
]

/** Why a git that ended with this standard error failed. */
export function reasonOf(stderr: string): FailureReason {
  return patterns.find(([, pattern]) => pattern.test(stderr))?.[0] ?? 'other'
}

const sentences: Partial<Record<FailureReason, { text: string; hint: string }>> = {
  aborted: { text: 'interrupted', hint: 'Nothing half made is left. Run it again.' },
  timed_out: { text: 'timed out', hint: 'The server stopped answering. Check the network and try again.' },
  git_missing: { text: 'git is not installed or not on the PATH', hint: 'Install git and try again.' },
  disk_full: { text: 'the disk is full', hint: 'Free some space and try again.' },
  locked: { text: 'another git is busy in the same repository', hint: 'Wait for it to finish and try again.' },
  not_found: {
    text: 'repository not found, or you have no access to it',
    hint: 'Check the address ("kugetsu server list", repos.json) and that you have access to it.',
  },
  authentication: {
    text: 'authentication failed',
    hint: 'Make git log in without asking: an ssh key in an agent, a credential helper, or a token ("kugetsu env set <NAME> - dev").',
  },
  unknown_host_key: {
    text: "the host's ssh key is not known",
    hint: 'Connect once with ssh and accept the key, then try again.',
  },
  unreachable: { text: 'host unreachable', hint: 'Check the network and the address, then try again.' },
  not_a_repository: { text: 'not a git repository', hint: 'Run "kugetsu doctor" to see what is wrong with it.' },
}

/** One line that says what went wrong, and what to do about it where a remedy is known. */
export function explain(failure: GitFailure): { text: string; hint: string | undefined } {
  const known = sentences[failure.reason]
  return known ?? { text: lastMeaningfulLine(failure), hint: undefined }
}

function lastMeaningfulLine(failure: GitFailure): string {
  const lines = failure.stderr
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  // `git add` ends with this line; the line before it names the file.
  const telling = lines.filter((line) => !/^fatal: (updating|adding) files failed$/.test(line))
  const told = telling.findLast((line) => /^(fatal|error):/.test(line)) ?? lines.at(-1)
  if (told !== undefined) return told.replace(/^(fatal|error): /, '')
  return failure.exitCode === undefined ? 'git was killed' : `git ended with exit code ${failure.exitCode}`
}
