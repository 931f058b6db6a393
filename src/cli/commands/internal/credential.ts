import { withoutHelper } from '../../../core/credential-helper.ts'
import { loginFor, loginHint } from '../../../agents/git-login.ts'
import { loadSettings } from '../../../config/settings.ts'
import { hasCredentialHelper } from '../../../git/credential-helpers.ts'
import type { Context } from '../../terminal/context.ts'
import { workingDirectory } from '../../working-directory.ts'

const gitTimeoutMs = 10_000

/**
 * `credential <agent> get|store|erase`: what git calls as a credential helper, with its request on standard input.
 * Prints a login or nothing. The user's own helper wins, and is never given anything to store.
 */
export async function runCredential(context: Context, options: { agent: string; operation: string }): Promise<void> {
  const { agent, operation } = options
  if ((agent !== 'dev' && agent !== 'pm-agent') || (operation !== 'get' && operation !== 'erase')) return
  const { protocol, host, username, password } = requestIn((await context.io.readInput()).toString())
  const address = `${protocol}://${host}`
  if (!/^https?:\/\/[^/?#@\s]+$/.test(address) || !URL.canParse(address)) return
  const { configFile, env, userHome } = { ...context, configFile: context.paths.config }
  // Warnings would end up in git's output.
  const home = { ...context, settings: () => loadSettings({ configFile, env, userHome }) }
  // In an agent's shell the agent reads what is missing; kugetsu's own git gets its hint from elsewhere.
  const tell = (text: string) => env['KUGETSU_AGENT'] === agent && context.io.err(`kugetsu: ${text}\n`)

  const login = loginFor(home, agent, address)
  if (operation === 'erase') {
    if (login !== undefined && login.password === password) tell(`${host} refuses the token in ${login.variable}`)
    return
  }
  const git = { cwd: workingDirectory(context), env: { ...env, ...withoutHelper(env) }, timeoutMs: gitTimeoutMs }
  if (await hasCredentialHelper(address, git)) return
  if (login === undefined) {
    tell(`no token for ${host}. ${loginHint(home, agent, address) ?? ''}`)
    return
  }
  context.io.out(`username=${username || login.username}\npassword=${login.password}\n`)
}

/** What git asks: lines of `name=value`. */
function requestIn(text: string): { protocol: string; host: string; username: string; password: string } {
  const lines = text.split('\n').map((line) => /^(\w+)=(.*)$/.exec(line))
  const field = (name: string) => lines.findLast((line) => line?.[1] === name)?.[2] ?? ''
  return { protocol: field('protocol'), host: field('host'), username: field('username'), password: field('password') }
}
