/** Finds what exists only in a repository inside a worktree. None of it can be saved, so it has to stay. */
import * as path from 'node:path'
import { charactersOf, displayName, nameIn } from '../../platform/byte-names.ts'
import { listEntries } from '../../git/worktree-entries.ts'
import { gitDirectories } from '../../git/git.ts'
import type { GitRepository } from '../../git/repository.ts'
import { counted, sample } from '../../core/wording.ts'
import { isMade, sortIgnored } from './ignored-files.ts'
import { commitsLost, type LookOptions } from './inner-commits.ts'
import { operationIn } from './operations.ts'
import type { InnerRepository } from './repositories.ts'
import { readStatus } from './status.ts'

/**
 * What would be lost with the repository, a line each, without its name. Throws KugetsuError when git fails: then the answer
 * is unknown.
 */
export async function lostWith(options: LookOptions, inner: InnerRepository): Promise<string[]> {
  const { root } = options
  const lost: string[] = []
  if (inner.at !== undefined) lost.push(...(await filesLost(options, inner)))
  const place = inner.at === undefined ? inner.gitDirectory : path.join(root, displayName(inner.at))
  lost.push(...(await commitsLost(options, repositoryOf(options, inner, place), inner)))
  const others = inner.goes ? listEntries(inner.gitDirectory).filter(({ present }) => present) : []
  const outside = others.find(({ path: place }) => place !== undefined && !place.startsWith(`${root}/`))
  if (outside?.path !== undefined) lost.push(`${outside.path} is a worktree of it`)
  return lost
}

async function filesLost(options: LookOptions, inner: InnerRepository): Promise<string[]> {
  if (inner.at === undefined) return []
  const place = path.join(options.root, displayName(inner.at))
  const lost: string[] = []
  const onWarning = (text: string) => void lost.push(`not all of it can be read: ${text}`)
  const status = await readStatus(repositoryOf(options, inner, place).with({ onWarning }))
  const operation = operationIn(inner.gitDirectory)
  if (operation !== undefined) lost.push(`${operation} is in progress`)
  const changed = [...status.uncommitted, ...status.untracked]
  if (changed.length > 0) {
    lost.push(`${counted(changed.length, 'change')} (${sample(changed.slice(0, 5).map(displayName), changed.length)})`)
  }
  // A tool made the directory that holds this repository, so its ignored files come from tools too.
  if (isMade(nameIn(`${charactersOf(inner.at)}/`))) return lost
  const { kept, left, output } = sortIgnored(place, status.ignored)
  const ignored = [...kept.map(displayName), ...left, ...output]
  if (ignored.length > 0) lost.push(`${counted(ignored.length, 'ignored file')} (${sample(ignored)})`)
  return lost
}

function repositoryOf({ mirror }: LookOptions, inner: InnerRepository, place: string): GitRepository {
  const tree = inner.at === undefined ? {} : { GIT_WORK_TREE: place }
  return mirror.from(place, { ...gitDirectories(inner.gitDirectory), ...tree })
}
