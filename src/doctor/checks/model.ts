/** The model that agents use, unless they are started with another one. */
import { messageOf } from '../../core/errors.ts'
import { findServer } from '../../opencode/server.ts'
import { hasModel } from '../../sessions/model.ts'
import { fail, pass, warn, type Check } from '../check.ts'

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
