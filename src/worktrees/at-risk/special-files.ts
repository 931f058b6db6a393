/** Pipes, sockets and devices in a worktree: git can put none into a tree, and waits at some of them for ever. */
import * as fs from 'node:fs'
import { type ByteName, displayName, placeIn } from '../../platform/byte-names.ts'
import { specialKind } from '../../platform/regular-file.ts'
import { type Place, recordsDirectory } from '../../git/place.ts'
import { findRepositories, type Walked } from './repositories.ts'

/** The files of a worktree walked, where git has its records of them; undefined where it has none, and where that fails. */
export function walkOf(worktree: string, place: Place): Walked | undefined {
  const gitDirectory = recordsDirectory(place)
  try {
    return gitDirectory === undefined ? undefined : findRepositories(worktree, gitDirectory)
  } catch {
    return undefined // whoever looks for repositories tries again, and tells of it
  }
}

/** Of changed files those that are such by now, a line each. */
export function specialAmong(worktree: string, changed: readonly ByteName[]): string[] {
  return changed.flatMap((name) => {
    const kind = specialKind(fs.lstatSync(placeIn(worktree, name), { throwIfNoEntry: false }))
    return kind === undefined ? [] : [`${displayName(name)} is ${kind} in the place of a file, which cannot be saved`]
  })
}
