/** The base session on a server, of which issues' sessions are forks. */
import { basePriming } from '../../agents/dev-agent.ts'
import type { Home } from '../../config/home.ts'
import { isOf, nameInFiles } from '../../driver/choose.ts'
import { exclusively } from '../../platform/locks.ts'
import type { Server } from '../../server/server.ts'
import { asSessionOn } from '../file/session-of-kind.ts'
import { baseName, changeIndex, changeSession, readIndex, requireBase } from '../file/store.ts'

export const baseTitle = 'kugetsu base'
const waitMs = 120_000

/**
 * The id of the base session on this server. When the home was used with another kind of server before, it gets one here:
 * from then on the home is used with this kind. Throws KugetsuError `not_initialised`, and what the server's client throws.
 */
export async function baseOn(home: Home, server: Server): Promise<string> {
  const wanted = () => {
    const base = requireBase(home)
    return isOf(server.driver, readIndex(home) ?? {}) ? base : undefined
  }
  const found = wanted()
  if (found !== undefined) return found
  return exclusively(home.paths.lock('init'), { timeoutMs: waitMs, signal: home.signal }, async () => {
    const made = wanted()
    if (made !== undefined) return made
    home.progress(`this home is used with opencode ${server.record.version} now: a new base session is made`)
    const id = await server.client.createPrimed(home.paths.base, { title: baseTitle, text: basePriming })
    await changeSession(home, baseName, (current) => ({
      type: 'base',
      state: 'idle',
      worktree_path: home.paths.base,
      created_at: home.now().toISOString(),
      ...current,
      ...asSessionOn(server.driver, id, current),
    }))
    await changeIndex(home, (index) => ({ ...index, base: id, driver: nameInFiles(server.driver) }))
    return id
  })
}
