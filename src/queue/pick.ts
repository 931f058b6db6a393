import type { Attempt, Item } from './item.ts'
import type { Limits } from './queue.ts'
import { isBegun, openAttempt, waitsMs } from './transitions.ts'

/** The fields that the order of the queue needs. Of the attempts, the last one is enough. */
export interface Standing extends Pick<
  Item,
  'id' | 'kind' | 'state' | 'priority' | 'rank' | 'issue_ref' | 'model' | 'not_before'
> {
  attempts: Attempt[]
}

export interface Picked<T> {
  /** The items to start now, in order. */
  items: T[]
  /** How soon an item that waits for its next try can be tried, in milliseconds; undefined when none does. */
  dueInMs: number | undefined
}

/**
 * The next starts for issues: continuations first, then by rank. Tasks of one issue run one at a time and in order; a
 * busy issue does not hold up other issues. For tasks of the PM agent see pickForPm. Pure.
 */
export function pick<T extends Standing>(
  items: readonly T[],
  around: Pick<Limits, 'free' | 'busyIssues' | 'heldProviders' | 'fullRepositories'> & { now: Date },
): Picked<T> {
  const picked: T[] = []
  let dueInMs: number | undefined
  const waiting = items.filter(isWaiting)
  const taken = new Set(items.filter(isBegun).map(({ issue_ref }) => issueKey(issue_ref)))
  const firsts = firstByIssue(waiting)
  for (const { issue_ref } of inOrder(waiting)) {
    const issue = issueKey(issue_ref)
    if (taken.has(issue) || around.busyIssues.has(issue)) continue
    taken.add(issue)
    // A continuation goes ahead of other issues, but not ahead of older tasks of its own issue: the task that it
    // continues may have been given back meanwhile.
    const item = firsts.get(issue)
    if (item === undefined) continue
    if (around.heldProviders?.has(providerOf(item)) || around.fullRepositories?.has(repositoryKey(issue))) continue
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
export function pickForPm<T extends Standing>(items: readonly T[], now: Date): { item?: T; dueInMs?: number } {
  const own = items.filter(({ kind }) => kind === 'pm')
  if (own.some(isBegun)) return {}
  const [item] = inOrder(own.filter(({ state }) => state === 'pending'))
  if (item === undefined) return {}
  const rest = waitsMs(item, now)
  return rest > 0 ? { dueInMs: rest } : { item }
}

function firstByIssue<T extends Standing>(items: readonly T[]): Map<string, T> {
  const firsts = new Map<string, T>()
  for (const item of items) {
    const issue = issueKey(item.issue_ref)
    const first = firsts.get(issue)
    if (first === undefined || isBefore(item, first)) firsts.set(issue, item)
  }
  return firsts
}

type Ordered = Pick<Item, 'id' | 'priority' | 'rank'>

/** Items in the order in which they would be started. */
export function inOrder<T extends Ordered>(items: readonly T[]): T[] {
  return items.toSorted((a, b) => b.priority - a.priority || (isBefore(a, b) ? -1 : 1))
}

/** The place of an item in the order, which sorts as text: that of its id unless it was given another. */
export function rankOf({ id, rank }: Pick<Item, 'id' | 'rank'>): string {
  return typeof rank === 'string' ? rank : id.slice('q_'.length)
}

function isBefore(one: Ordered, other: Ordered): boolean {
  const [a, b] = [rankOf(one), rankOf(other)]
  return a < b || (a === b && one.id < other.id)
}

/** The key that tells issues apart. Forges ignore case, and treating two issues as one only makes a task wait. */
export function issueKey(issueRef: string | null | undefined): string {
  return (issueRef ?? '').toLowerCase()
}

/** The issueKey() of the agent that a task is for; '' is the PM agent. */
export function ownerKey({ kind, issue_ref }: Pick<Item, 'kind' | 'issue_ref'>): string {
  return kind === 'pm' ? '' : issueKey(issue_ref)
}

function repositoryKey(issue: string): string {
  return issue.slice(0, Math.max(0, issue.lastIndexOf('#')))
}

function providerOf({ model }: Pick<Item, 'model'>): string {
  return (model ?? '').split('/')[0] ?? ''
}

function isWaiting(item: Standing): boolean {
  return item.state === 'pending' && item.kind === 'dev' && openAttempt(item) === undefined
}
