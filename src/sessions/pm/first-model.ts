/** Whether opencode has a model for the first agent of a home, asked before anything is made for that agent. */
import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import type { UsableModels } from '../../driver/client.ts'
import { somebodyIsAttached } from '../../server/attached.ts'
import { findServer, stopServer, type Server } from '../../server/server.ts'
import { readIndex } from '../file/store.ts'
import { agentServer } from '../runs/agent-server.ts'
import { sessionsAtWork } from '../runs/at-work.ts'
import { slotHolders } from '../slots/slots.ts'

/**
 * Throws KugetsuError `no_model` or `bad_model_setting` when opencode has no model for the first agent of this home, and
 * warns when there are only opencode's free ones. Asks nothing once an issue had an agent here, nor when the agent is to
 * have another model (`asked`): this one is looked for in its worktree, because a repository can set up providers of its own.
 * `boot`: starts a server for this; otherwise only a running one is asked.
 */
export async function requireFirstModel(home: Home, asked: string | undefined, boot: boolean): Promise<void> {
  if (asked !== undefined || Object.keys(readIndex(home)?.issues ?? {}).length > 0) return
  const server = boot ? await agentServer(home) : findServer(home)
  if (server === undefined) return
  const trouble = await troubleWith(server, home)
  if (trouble === undefined) return
  if (trouble.code === undefined) return home.warn(`${trouble.message}; to log in: ${trouble.hint}`)
  // A running opencode does not read its configuration and logins again.
  await stopServer(
    home,
    () => slotHolders(home).length > 0 || sessionsAtWork(home).length > 0 || somebodyIsAttached(home),
  )
  throw new KugetsuError(trouble.message, { hint: trouble.hint, code: trouble.code })
}

interface Trouble {
  message: string
  hint: string
  /** Undefined when an agent can work all the same. */
  code?: string
}

/** Undefined when all is well, or when opencode does not say: the start then finds out. */
async function troubleWith({ client, driver }: Server, home: Home): Promise<Trouble | undefined> {
  let wanted: string | undefined
  let usable: UsableModels
  try {
    wanted = (await client.defaults(home.paths.base)).model
    usable = await client.usable(home.paths.base)
  } catch {
    home.signal.throwIfAborted()
    return undefined
  }
  const login = driver.loginCommand
  if (wanted === undefined) {
    if (usable.providers.length === 0) {
      return { message: 'opencode has no model: no provider is logged in', hint: logInOr(login), code: 'no_model' }
    }
    return usable.isOnlyFree
      ? { message: "opencode has no login to a provider, so agents get opencode's free models", hint: login }
      : undefined
  }
  const provider = wanted.slice(0, wanted.indexOf('/'))
  const { modelProviders: loaded } = home.settings()
  // Where the setting leaves a provider out, the start says so.
  const isLeftOut = !driver.loadsAllModels && typeof loaded !== 'string' && !loaded.includes(provider)
  if (!wanted.includes('/') || usable.has(wanted) || isLeftOut) return undefined
  const isLoggedIn = usable.providers.includes(provider)
  return {
    message: `opencode is set to ${wanted}, which it does not have${isLoggedIn ? '' : `: there is no login to ${provider}`}`,
    hint: isLoggedIn ? '"opencode models" lists its models; the setting is "model" in opencode.json.' : logInOr(login),
    code: 'bad_model_setting',
  }
}

function logInOr(login: string): string {
  return `Run "${login}", or choose a model of another provider in opencode.json: { "model": "provider/model" }. For a model that only the repository sets up: --model.`
}
