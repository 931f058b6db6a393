/** In a file of its own, so that an enqueue does not load what this needs. */
import { KugetsuError } from '../core/errors.ts'
import { memoryRoom, memoryShortage } from '../sessions/slots/memory.ts'
import { slotHolders } from '../sessions/slots/slots.ts'
import type { Context } from './terminal/context.ts'

/**
 * Why pending tasks wait for memory, with the name of the setting. Undefined when they need not wait, and when bad
 * settings hide the reason: the caller can still tell the rest.
 */
export function shortageNow(context: Context): string | undefined {
  try {
    const shortage = memoryShortage(memoryRoom(context, slotHolders(context)))
    return shortage === undefined ? undefined : `${shortage} (MIN_FREE_MEMORY_MB)`
  } catch (error) {
    if (!(error instanceof KugetsuError)) throw error
    return undefined
  }
}
