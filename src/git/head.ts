/** What the files of a worktree or clone say: its git directory and its branch. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { readSmall, readText } from '../platform/files.ts'

/** The git directory that the `.git` file of a worktree names; undefined when there is none. */
export function linkOf(place: string): string | undefined {
  const file = path.join(place, '.git')
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true ? linkIn(place, file) : undefined
}

function linkIn(place: string, file: string): string | undefined {
  const link = /^gitdir: (.+)$/m.exec(textOf(file) ?? '')?.[1]
  return link === undefined ? undefined : path.resolve(place, link)
}

/** `list` reads these files of a thousand worktrees. */
function textOf(file: string): string | undefined {
  return readSmall(file, { stat: false })?.text ?? readText(file)
}

/** The branch on which the worktree or clone at `place` is; undefined on none, and where that cannot be told. */
export function branchAt(place: string): string | undefined {
  try {
    const file = path.join(place, '.git')
    const found = fs.statSync(file, { throwIfNoEntry: false })
    if (found === undefined) return undefined
    const directory = (found.isFile() ? linkIn(place, file) : undefined) ?? file
    const head = textOf(path.join(directory, 'HEAD')) ?? ''
    return /^ref: refs\/heads\/(\S+)\n?$/.exec(head)?.[1]
  } catch {
    return undefined
  }
}
