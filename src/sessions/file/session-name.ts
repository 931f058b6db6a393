import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import type { Paths } from '../../config/paths.ts'
import { baseNameOf, uniqueNameOf } from '../../core/issue-names.ts'
import { formatRef, parseRef, type IssueRef } from '../../core/issue-ref.ts'
import type { Item } from '../../queue/item.ts'
import { readIndex, readSession } from './store.ts'

/**
 * The name of an issue's files, without extension: unique even if two refs sanitise to the same name. Of two
 * repositories of this home with the same name, as `acme/w-api` and `acme-w/api`, the one with the shorter owner has
 * the plain names, whichever is started first.
 */
export function nameOf(home: Home, ref: IssueRef): string {
  const canonical = formatRef(ref)
  const indexed = readIndex(home)?.issues[canonical]
  // A hand-edited index must not lead outside the sessions directory.
  if (indexed !== undefined && path.basename(indexed) === indexed) return indexed.replace(/\.json$/, '')
  return unusedNameOf(home.paths, ref, (name) => readSession(home, name)?.issue_ref ?? undefined)
}

/** nameOf() for a ref outside the index; `ownerOf` returns the canonical ref of the session with a name. */
export function unusedNameOf(paths: Paths, ref: IssueRef, ownerOf: (name: string) => string | undefined): string {
  const plain = baseNameOf(ref)
  return uniqueNameOf(ref, (name) => ownerOf(name) ?? (name === plain ? namesakeOf(paths, ref) : undefined))
}

/** The canonical ref of the same issue in a repository of this home that has the same names and a shorter owner. */
function namesakeOf(paths: Paths, ref: IssueRef): string | undefined {
  const namesakes = [...ref.owner.matchAll(/[-/]/g)].map(({ index }) => ({
    ...ref,
    owner: ref.owner.slice(0, index),
    repo: `${ref.owner.slice(index + 1)}-${ref.repo}`.replaceAll('/', '-'),
  }))
  const known = namesakes.find((each) => fs.existsSync(paths.mirror(each)))
  return known === undefined ? undefined : formatRef(known)
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
