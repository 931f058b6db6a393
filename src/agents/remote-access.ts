/** How kugetsu's own git reaches remotes: as the user does, else with the tokens of the dev agents. */
import { loginHint } from './git-login.ts'
import type { Home } from '../config/home.ts'
import { credentialVariables, helperCommand } from '../core/credential-helper.ts'

/** The user's environment with our credential helper in git's configuration. */
export function remoteEnvironment(home: Home): NodeJS.ProcessEnv {
  return { ...home.env, ...credentialVariables(home.env, helperCommand(home.paths.home, home.self), 'dev') }
}

/** The environment for calls on the remote at `url`, and what to do when it refuses them. */
export function remoteAccess(home: Home, url: string) {
  return { env: remoteEnvironment(home), loginHint: () => hintFor(home, url) }
}

/** A failure here gives no hint, because it must not hide the error that the hint belongs to. */
function hintFor(home: Home, url: string): string | undefined {
  try {
    return loginHint(home, 'dev', url)
  } catch {
    return undefined
  }
}
