/** The model that agents use, unless they are started with another one. */
import { messageOf } from '../../core/errors.ts'
import { driverFor } from '../../driver/choose.ts'
import { findServer } from '../../server/server.ts'
import { fail, pass, some, warn, type Check } from '../check.ts'

/** The providers with models that opencode loads, again for each worktree. */
export const providers: Check = {
  name: 'providers',
  look: async ({ home, server: record }) => {
    if (driverFor(home).loadsAllModels) return pass('all that opencode knows')
    const { modelProviders: wanted } = home.settings()
    if (wanted === 'all') return pass('all that opencode knows (KUGETSU_MODEL_PROVIDERS)')
    const found = record()
    const server = found === undefined ? undefined : findServer(home)
    const connected = (await server?.client.usable(home.paths.base).catch(() => undefined))?.providers ?? []
    if (wanted === 'connected') {
      if (connected.length === 0) return pass('those that opencode can use')
      const ids = connected.join(', ')
      return pass(server?.record.models === undefined ? `all that opencode knows; it can use ${ids}` : ids)
    }
    const all = driverFor(home).knownProviders(home)
    if (all === undefined) {
      return warn(
        'all: opencode has no catalogue of models on file',
        'opencode makes one when it can reach its source.',
      )
    }
    const isKnown = (id: string) => all.includes(id) || connected.includes(id)
    const unknown = server === undefined ? undefined : wanted.find((id) => !isKnown(id))
    if (unknown === undefined) return pass(`${wanted.join(', ')} (KUGETSU_MODEL_PROVIDERS)`)
    return warn(
      `no provider "${unknown}" (KUGETSU_MODEL_PROVIDERS)`,
      '"opencode models" lists the providers and their models.',
    )
  },
}

/** The user's logins that agents do not have. */
export const logins: Check = {
  name: 'logins',
  look: ({ home }) => {
    const driver = driverFor(home)
    try {
      const [first, ...missing] = driver.missingLogins(home)
      if (first !== undefined) {
        const what = `agents have no login to ${some([first, ...missing])}: it cannot be copied`
        return warn(what, `kugetsu login ${first}`)
      }
      const [one, ...shared] = driver.sharedLogins(home)
      if (one === undefined) return pass('agents have those of opencode')
      const what = `agents share your login to ${some([one, ...shared])}: when one side renews it, the other may be logged out`
      return warn(what, `kugetsu login ${one}`)
    } catch (error) {
      return warn(`opencode's database cannot be read: ${messageOf(error)}`, driver.storeHint(home))
    }
  },
}

export const model: Check = {
  name: 'model',
  look: async ({ home, server: record }) => {
    // findServer would set aside a file that it cannot understand.
    const server = record() === undefined ? undefined : findServer(home)
    if (server === undefined) return pass("opencode's own; its name is known only while the server runs")
    try {
      const { model: wanted } = await server.client.defaults(home.paths.base)
      if (wanted === undefined) {
        const { providers, isOnlyFree } = await server.client.usable(home.paths.base)
        return isOnlyFree
          ? warn("none is configured: agents get opencode's free models", server.driver.loginCommand)
          : pass(`the one that opencode chooses, of ${providers.join(', ')}`)
      }
      return (await server.client.usable(home.paths.base)).has(wanted)
        ? pass(wanted)
        : fail(
            `opencode is set to ${wanted}, which it does not have`,
            '"opencode models" lists its models; the setting is "model" in opencode.json.',
          )
    } catch (error) {
      home.signal.throwIfAborted()
      return {
        ...warn(`opencode did not answer: ${messageOf(error)}`, 'See "opencode models".'),
        follows: 'server',
      }
    }
  },
}
