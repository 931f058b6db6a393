/** What a failed start means for the task that asked for it. */
import { codeOf, messageOf } from '../../core/errors.ts'
import { gitFailure } from '../../git/failure.ts'

/** A later try would fail the same way. */
const hopelessCodes = new Set([
  'ambiguous_ref',
  'bad_message',
  'bad_ref',
  'bad_repository_config',
  'bad_url',
  'empty_repository',
  'no_default_branch',
  'no_such_agent',
  'unexpected',
  'unknown_base',
  'unknown_model',
])
const hopelessGit = new Set(['not_found', 'authentication', 'unknown_host_key'])
/** Nothing was tried: no slot, no memory, told to stop, or another command works on the issue. */
const notTriedCodes = new Set(['busy', 'closing', 'interrupted', 'no_free_slot', 'no_memory', 'running'])
/** The next task, whichever it is, would fail the same way. */
const outageCodes = new Set([
  'bad_agent_setting',
  'bad_config',
  'bad_model_setting',
  'bad_opencode_config',
  'bad_setting',
  'closing',
  'base_session_missing',
  'git_missing',
  'no_handles',
  'no_opencode',
  'no_opencode_database',
  'not_initialised',
  'opencode_broken',
  'opencode_too_old',
  'opencode_unsupported',
  'server_failed',
  'unwritable',
])

export interface StartFailure {
  /** In one line. */
  reason: string
  kind: 'not tried' | 'interrupted' | 'hopeless' | 'again'
  /** The failure concerns every task, not only this one. */
  outage: boolean
}

export function startFailure(error: unknown): StartFailure {
  const code = codeOf(error) ?? ''
  const git = gitFailure(error)?.reason
  const kind = notTriedCodes.has(code)
    ? 'not tried'
    : code === 'server_died'
      ? 'interrupted'
      : hopelessCodes.has(code) || (git !== undefined && hopelessGit.has(git))
        ? 'hopeless'
        : 'again'
  return { reason: messageOf(error), kind, outage: outageCodes.has(code) }
}
