import * as path from 'node:path'
import type { Place } from '../../git/place.ts'
import { readRefs } from '../../git/refs.ts'
import { readCharacters } from './walk.ts'

const base = 'refs/remotes/origin/HEAD'

/**
 * Whether nothing was ever committed, fetched or checked out in a worktree, judged by its files alone: HEAD was put at one
 * commit by `git reset --hard <commit>`, as kugetsu does, and the remote's default branch in the mirror is at that commit.
 * Then no commit of the worktree can be lost, whatever the remote has now. False when unsure.
 */
export function isAsMade(place: Place): boolean {
  if (place.kind !== 'worktree') return false
  const log = logAt(path.join(place.gitDirectory, 'logs', 'HEAD')) ?? ''
  const made = /^0+ ([0-9a-f]{40,64}) [^\n\t]*\treset: moving to \1\n$/.exec(log)?.[1]
  return made !== undefined && readRefs(place.repository, [base])?.get(base)?.commit === made
}

function logAt(file: string): string | undefined {
  try {
    return readCharacters(file)
  } catch {
    return undefined // the search for commits in it reports that
  }
}
