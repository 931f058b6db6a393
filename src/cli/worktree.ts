import * as fs from 'node:fs'
import { KugetsuError } from '../core/errors.ts'
import { trackedSession, type TrackedSession } from './refs.ts'
import type { Context } from './terminal/context.ts'

export interface WorktreeOfRef extends TrackedSession {
  /** The directory, which exists. */
  path: string
}

/** The worktree of the issue a person means. Throws KugetsuError `unknown_session`, or `no_worktree` when it has none. */
export async function worktreeOfRef(context: Context, text: string): Promise<WorktreeOfRef> {
  const session = await trackedSession(context, text)
  const { label, record } = session
  const place = record.worktree_path
  const hint = `To make it again: kugetsu continue ${label} "…". Saved work: kugetsu recover`
  if (!place) throw new KugetsuError(`${label} has no worktree`, { hint, code: 'no_worktree' })
  if (fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() === true) return { ...session, path: place }
  throw new KugetsuError(`the worktree of ${label} is gone: ${place}`, { hint, code: 'no_worktree' })
}
