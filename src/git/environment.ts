/** The environment that git runs in. */
import { withoutCaller } from '../core/callers-variables.ts'
import { unattended } from '../core/unattended.ts'

/** The user's environment, without what would prompt, open an editor or point to another repository. */
export function gitEnvironment(base: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...withoutCaller(base),
    ...safely,
    // GIT_SSH is the older way to choose an ssh, and GIT_SSH_COMMAND would override it.
    ...(base['GIT_SSH_COMMAND'] === undefined && base['GIT_SSH'] === undefined ? { GIT_SSH_COMMAND: batchSsh } : {}),
    // Outranks all protocol.* configuration: no ext:: and no other helper that runs programs.
    GIT_ALLOW_PROTOCOL: base['GIT_ALLOW_PROTOCOL'] ?? 'file:git:http:https:ssh',
  }
}

const batchSsh = 'ssh -o BatchMode=yes'

const safely = {
  ...unattended,
  GIT_ASKPASS: '', // empty, not absent: absent means core.askPass and then SSH_ASKPASS
  SSH_ASKPASS: '',
  SSH_ASKPASS_REQUIRE: 'never',
  GCM_INTERACTIVE: 'never',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_LAZY_FETCH: '1', // a mirror is complete; a setting that denies this names a remote, and how to ask it
  GIT_DEFAULT_REF_FORMAT: 'files', // worktree-entries.ts reads HEAD files
  LC_ALL: 'C',
}
