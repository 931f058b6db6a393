/** In a file of its own, because an enqueue is to load none of what it needs. */
import { KugetsuError } from '../core/errors.ts'
import { memoryRoom, memoryShortage } from '../sessions/slots/memory.ts'
import { slotHolders } from '../sessions/slots/slots.ts'
import type { Context } from './terminal/context.ts'

/**
 * Why pending tasks wait for memory, with the setting that says so; undefined where they need not, and where settings
 * that make no sense keep it from being told: the rest can be.
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
