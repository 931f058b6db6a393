/** The model that agents use, unless they are started with another one. */
import { messageOf } from '../../core/errors.ts'
import { findCatalogue } from '../../opencode/models/catalogue.ts'
import { freeProvider } from '../../opencode/models/in-use.ts'
import { findServer } from '../../opencode/server/server.ts'
import { hasModel } from '../../sessions/starting/choose-model.ts'
import { fail, pass, warn, type Check } from '../check.ts'

/** The providers with models that opencode loads, again for each worktree. */
export const providers: Check = {
  name: 'providers',
  look: async ({ home, server: record }) => {
    const { modelProviders: wanted } = home.settings()
    if (wanted === 'all') return pass('all that opencode knows (KUGETSU_MODEL_PROVIDERS)')
    const found = record()
    const server = found === undefined ? undefined : findServer(home)
    const connected = (await server?.client.providers(home.paths.base).catch(() => undefined))?.providers ?? []
    if (wanted === 'connected') {
      if (connected.length === 0) return pass('those that opencode can use')
      const ids = connected.map(({ id }) => id).join(', ')
      return pass(server?.record.models === undefined ? `all that opencode knows; it can use ${ids}` : ids)
    }
    const all = findCatalogue(home)?.catalogue
    if (all === undefined) {
      return warn(
        'all: opencode has no catalogue of models on file',
        'It makes one itself when it can reach its source.',
      )
    }
    const isKnown = (id: string) => Object.hasOwn(all, id) || connected.some((each) => each.id === id)
    const unknown = server === undefined ? undefined : wanted.find((id) => !isKnown(id))
    if (unknown === undefined) return pass(`${wanted.join(', ')} (KUGETSU_MODEL_PROVIDERS)`)
    return warn(`no provider "${unknown}" (KUGETSU_MODEL_PROVIDERS)`, '"opencode models" lists what there is.')
  },
}

export const model: Check = {
  name: 'model',
  look: async ({ home, server: record }) => {
    // findServer would set aside a file that it cannot understand.
    const server = record() === undefined ? undefined : findServer(home)
    if (server === undefined) return pass('that of opencode; which, is told while the server runs')
    try {
      const { model: wanted } = await server.client.configuration(home.paths.base)
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
