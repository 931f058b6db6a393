import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { uniqueNameOf } from '../../core/issue-names.ts'
import { formatRef, parseRef, type IssueRef } from '../../core/issue-ref.ts'
import type { Item } from '../../queue/item.ts'
import { readIndex, readSession } from './store.ts'

/** The name of an issue's files, without extension: unique even if two refs sanitise to the same name. */
export function nameOf(home: Home, ref: IssueRef): string {
  const canonical = formatRef(ref)
  const indexed = readIndex(home)?.issues[canonical]
  // A hand-edited index must not lead outside the sessions directory.
  if (indexed !== undefined && path.basename(indexed) === indexed) return indexed.replace(/\.json$/, '')
  return uniqueNameOf(ref, (name) => readSession(home, name)?.issue_ref ?? undefined)
}

/**
 * The session name that `name` gives to a task waiting in the queue: the daemon may have prepared its worktree
 * (prepare-ahead.ts). Undefined for other tasks and for tasks without an issue.
 */
export function awaitedName(
  { state, issue_ref: issueRef }: Pick<Item, 'state' | 'issue_ref'>,
  name: (ref: IssueRef) => string,
): string | undefined {
  if (state !== 'pending' || !issueRef) return undefined
  try {
    return name(parseRef(issueRef, { defaultHost: '' }))
  } catch {
    return undefined // not a ref, so nothing is prepared for it
  }
}
