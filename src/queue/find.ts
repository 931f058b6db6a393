import { startOf } from '../core/columns.ts'
import { KugetsuError } from '../core/errors.ts'
import type { Item, ItemState } from './item.ts'

/**
 * The id that a person means: a whole id, or a unique beginning or end. Throws KugetsuError `unknown_item` or
 * `ambiguous_item`.
 */
export function findId(ids: readonly string[], text: string): string {
  if (ids.includes(text)) return text
  const found = ids.filter((id) => text !== '' && (id.startsWith(text) || id.startsWith(`q_${text}`)))
  const matches = found.length > 0 ? found : ids.filter((id) => text.length >= 3 && id.endsWith(text))
  if (matches.length === 1 && matches[0] !== undefined) return matches[0]
  if (matches.length === 0) {
    throw new KugetsuError(`no item ${JSON.stringify(startOf(text, 100))} in the queue`, {
      hint: 'See "kugetsu queue list".',
      code: 'unknown_item',
    })
  }
  const shown = matches.slice(0, 5).join(', ') + (matches.length > 5 ? ' …' : '')
  throw new KugetsuError(`${JSON.stringify(text)} fits ${matches.length} items`, {
    hint: `Say which one is meant: ${shown}`,
    code: 'ambiguous_item',
  })
}

export type Counts = Record<ItemState | 'total', number>

/** How many items there are, by state. */
export function countItems(items: readonly Pick<Item, 'state'>[]): Counts {
  const counts = { total: items.length, pending: 0, notified: 0, completed: 0, error: 0 }
  for (const { state } of items) counts[state] += 1
  return counts
}
