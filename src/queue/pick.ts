import type { Item } from './item.ts'
import { openAttempt, waitsMs } from './transitions.ts'

export interface Picked {
  /** What to start now, in order. */
  items: Item[]
  /** How soon an item that waits for its next try can be tried, in milliseconds; undefined when none does. */
  dueInMs: number | undefined
}

/**
 * What to start next: continuations first, then first in, first out. Tasks of one issue run one at a time and in order;
 * a busy issue does not hold up other issues. For tasks of the PM agent see pickForPm. Pure.
 */
export function pick(
  items: readonly Item[],
  around: { free: number; now: Date; isBusy: (issue: string) => boolean },
): Picked {
  const picked: Item[] = []
  let dueInMs: number | undefined
  const taken = new Set<string>()
  const waiting = items.filter(isWaiting)
  const firsts = firstByIssue(waiting)
  for (const { issue_ref } of inOrder(waiting)) {
    const issue = issueKey(issue_ref)
    if (taken.has(issue) || around.isBusy(issue)) continue
    taken.add(issue)
    // A continuation goes ahead of other issues, but not ahead of older tasks of its own issue: the task that it
    // continues may have been given back meanwhile.
    const item = firsts.get(issue)
    if (item === undefined) continue
    const rest = waitsMs(item, around.now)
    if (rest > 0) dueInMs = Math.min(rest, dueInMs ?? rest)
    else if (picked.length < around.free) picked.push(item)
  }
  return { items: picked, dueInMs }
}

/**
 * The next task for the PM agent, which takes one at a time and in order; no item while it has one, or when none waits.
 * Pure.
 */
export function pickForPm(items: readonly Item[], now: Date): { item?: Item; dueInMs?: number } {
  const own = items.filter(({ kind }) => kind === 'pm')
  if (own.some((item) => item.state === 'notified' || (item.state === 'pending' && openAttempt(item)))) return {}
  const [item] = inOrder(own.filter(({ state }) => state === 'pending'))
  if (item === undefined) return {}
  const rest = waitsMs(item, now)
  return rest > 0 ? { dueInMs: rest } : { item }
}

function firstByIssue(items: readonly Item[]): Map<string, Item> {
  const firsts = new Map<string, Item>()
  for (const item of items) {
    const issue = issueKey(item.issue_ref)
    const first = firsts.get(issue)
    if (first === undefined || item.id < first.id) firsts.set(issue, item)
  }
  return firsts
}

/** Items in the order in which they would be started. */
export function inOrder(items: readonly Item[]): Item[] {
  return items.toSorted((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1))
}

/** The key that tells issues apart. Forges ignore case, and treating two issues as one only makes a task wait. */
export function issueKey(issueRef: string | null | undefined): string {
  return (issueRef ?? '').toLowerCase()
}

function isWaiting(item: Item): boolean {
  return item.state === 'pending' && item.kind === 'dev' && openAttempt(item) === undefined
}
