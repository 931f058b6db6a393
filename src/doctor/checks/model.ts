/** The model that agents use, unless they are started with another one. */
import { messageOf } from '../../core/errors.ts'
import { readCatalogue } from '../../opencode/catalogue.ts'
import { findServer } from '../../opencode/server.ts'
import { hasModel } from '../../sessions/model.ts'
import { fail, pass, warn, type Check } from '../check.ts'

/** Whose models opencode loads, for each worktree anew. */
export const providers: Check = {
  name: 'providers',
  look: async ({ home, server: record }) => {
    const { modelProviders } = home.settings()
    const all = readCatalogue(home)
    if (modelProviders.length > 0 && all === undefined) {
      return warn(
        'all: opencode has no catalogue of models on file',
        'It makes one itself when it can reach its source.',
      )
    }
    const server = record() === undefined ? undefined : findServer(home)
    const connected = (await server?.client.providers(home.paths.base).catch(() => undefined))?.providers ?? []
    const isKnown = (id: string) => Object.hasOwn(all ?? {}, id) || connected.some((each) => each.id === id)
    const unknown = server === undefined ? undefined : modelProviders.find((id) => !isKnown(id))
    if (unknown !== undefined) {
      return warn(`no provider "${unknown}" (KUGETSU_MODEL_PROVIDERS)`, '"opencode models" lists what there is.')
    }
    if (modelProviders.length > 0) return pass(`${modelProviders.join(', ')} (KUGETSU_MODEL_PROVIDERS)`)
    if (connected.length === 0) return pass('all that opencode knows')
    const faster = `KUGETSU_MODEL_PROVIDERS=${connected.map(({ id }) => id).join(',')}`
    return pass(`all that opencode knows; starts are faster with ${faster}`)
  },
}

/** opencode's own provider, whose free models it falls back to without any key. */
const freeProvider = 'opencode'

export const model: Check = {
  name: 'model',
  look: async ({ home, server: record }) => {
    // findServer sets aside what it cannot understand.
    const server = record() === undefined ? undefined : findServer(home)
    if (server === undefined) return pass('that of opencode; which, is told while the server runs')
    try {
      const wanted = await server.client.configuredModel(home.paths.base)
      if (wanted === undefined) {
        const { providers } = await server.client.providers(home.paths.base)
        return providers.some(({ id }) => id !== freeProvider)
          ? pass(`the one that opencode chooses, of ${providers.map(({ id }) => id).join(', ')}`)
          : warn('none is configured: agents get what opencode has for free', 'opencode auth login')
      }
      return (await hasModel(server.client, home.paths.base, wanted))
        ? pass(wanted)
        : fail(
            `opencode is set to ${wanted}, which it does not have`,
            '"opencode models" lists those there are; the setting is "model" in opencode.json.',
          )
    } catch (error) {
      home.signal.throwIfAborted()
      return warn(`opencode does not tell: ${messageOf(error)}`, 'See "opencode models".')
    }
  },
}
