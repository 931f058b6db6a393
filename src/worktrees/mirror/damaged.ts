/** Handles a mirror's place with something other than a repository, or with a broken one. */
import * as fs from 'node:fs'
import { KugetsuError } from '../../core/errors.ts'
import { setAside } from '../../platform/files.ts'
import { listEntries } from '../../git/worktree-entries.ts'

/**
 * Sets it aside, so that the mirror can be cloned anew. Throws KugetsuError `mirror_damaged` when worktrees depend on it, or
 * when it cannot be moved.
 */
export function setAsideDamaged(repository: string): void {
  if (fs.lstatSync(repository, { throwIfNoEntry: false }) === undefined) return
  const worktrees = listEntries(repository).filter((entry) => entry.present)
  if (worktrees.length > 0) {
    throw new KugetsuError(`the mirror ${repository} is damaged, and ${worktrees.length} worktrees depend on it`, {
      hint: 'Try "kugetsu doctor --fix". If that does not help: save what you need from those worktrees, move the mirror and them away, and try again.',
      code: 'mirror_damaged',
    })
  }
  if (setAside(repository, new Date()) === undefined) {
    throw new KugetsuError(`${repository} is not a git repository and cannot be moved`, {
      hint: 'Move it away and try again.',
      code: 'mirror_damaged',
    })
  }
}
