/** What the files of a worktree or clone say: its git directory and its branch. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { readText } from '../platform/files.ts'

/** The git directory that the `.git` file of a worktree names; undefined when there is none. */
export function linkOf(place: string): string | undefined {
  const file = path.join(place, '.git')
  if (!(fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false)) return undefined
  const link = /^gitdir: (.+)$/m.exec(readText(file) ?? '')?.[1]
  return link === undefined ? undefined : path.resolve(place, link)
}

/** The branch on which the worktree or clone at `place` is; undefined on none, and where that cannot be told. */
export function branchAt(place: string): string | undefined {
  try {
    const head = readText(path.join(linkOf(place) ?? path.join(place, '.git'), 'HEAD')) ?? ''
    return /^ref: refs\/heads\/(\S+)\n?$/.exec(head)?.[1]
  } catch {
    return undefined
  }
}
