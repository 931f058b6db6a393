/** Asks a web server which forge it is. */
import { forgeKinds, type ForgeType } from '../config/forge-types.ts'
import { createApi } from './api.ts'
import { Unclear } from './forge.ts'
import { forgeOfKind } from './forge-kinds.ts'
import type { Variables } from './proxy.ts'

const patienceMs = 5_000

/**
 * The kind of forge with an API that answers below `web`, the address of its pages; undefined when none does within five
 * seconds. Sends no token. Throws only the reason of an aborted signal.
 */
export async function askKind(
  web: string,
  { env, signal }: { env: Variables; signal: AbortSignal },
): Promise<ForgeType | undefined> {
  const enough = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)])
  const answers = await Promise.all(
    forgeKinds.map(async (kind) => {
      const forge = forgeOfKind(kind)
      if (forge === undefined) return false
      const base = forge.apiOf(new URL(web))
      try {
        return await forge.isAt(createApi({ base, headers: forge.headers(undefined), env, signal: enough }))
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof Unclear || enough.aborted) return false
        throw error
      }
    }),
  )
  return forgeKinds.find((_, index) => answers[index])
}
