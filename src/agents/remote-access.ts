/** How kugetsu's own git reaches remotes: as the user does, else with the tokens of the dev agents. */
import { loginHint } from './git-login.ts'
import { cloneUrlOf } from '../config/repositories.ts'
import type { Home } from '../config/home.ts'
import { credentialVariables, helperCommand } from '../core/credential-helper.ts'
import type { IssueRef } from '../core/issue-ref.ts'

/** The user's environment with our credential helper in git's configuration. */
export function remoteEnvironment(home: Home): NodeJS.ProcessEnv {
  return { ...home.env, ...credentialVariables(home.env, helperCommand(home.paths.home, home.self), 'dev') }
}

/**
 * What to do when the remote of an issue's repository refuses those. A failure here gives no hint, because it must not hide
 * the error that the hint belongs to.
 */
export function remoteHint(home: Home, ref: IssueRef): string | undefined {
  try {
    return loginHint(home, 'dev', cloneUrlOf(home, ref))
  } catch {
    return undefined
  }
}
