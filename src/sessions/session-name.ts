import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { uniqueNameOf } from '../core/issue-names.ts'
import { formatRef, type IssueRef } from '../core/issue-ref.ts'
import { readIndex, readSession } from './store.ts'

/** The name under which an issue's files go: its own even where two refs sanitise to the same. */
export function nameOf(home: Home, ref: IssueRef): string {
  const canonical = formatRef(ref)
  const indexed = readIndex(home)?.issues[canonical]
  // A hand-edited index is no reason to leave the sessions directory.
  if (indexed !== undefined && path.basename(indexed) === indexed) return indexed.replace(/\.json$/, '')
  return uniqueNameOf(ref, (name) => readSession(home, name)?.issue_ref ?? undefined)
}
