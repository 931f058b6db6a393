/** git's own files in worktrees and mirrors: they may be deleted by hand, or left empty by a power cut. */
import type { Home } from '../../config/home.ts'
import { listMirrors } from '../../worktrees/mirror/list.ts'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import { unlessTaken } from '../../platform/locks.ts'
import { mirrorOf, worktreeOf } from '../../sessions/file/worktree-handles.ts'
import type { IssueWorktree } from '../../worktrees/issue-worktree.ts'
import { lostParts, mendIfBroken } from '../../worktrees/mend.ts'
import { lostPartsOfMirror, mendMirror } from '../../worktrees/mirror/mend.ts'
import { removeStraySettings, straySettings } from '../../worktrees/mirror/stray-settings.ts'
import type { GitRepository } from '../../git/repository.ts'
import { byItself, fail, pass, some, type Check } from '../check.ts'
import { subjectOf, type Subject } from '../subject.ts'

interface NamedWorktree extends IssueWorktree {
  name: string
}

export const gitFiles: Check = {
  name: 'git files',
  look: async (subject) => {
    const lost: string[] = []
    const hopeless: KugetsuError[] = []
    const add = (what: string, look: () => string[]) => {
      try {
        const parts = look()
        if (parts.length > 0) lost.push(`${what} has lost ${parts.join(', ')}`)
      } catch (error) {
        if (!(error instanceof KugetsuError)) throw error
        hopeless.push(error)
      }
    }
    for (const mirror of mirrorsOf(subject.home)) {
      add(mirror.path, () => lostPartsOfMirror(mirror))
      const stray = await straySettings(mirror)
      if (stray.length > 0) lost.push(`${mirror.path}: an agent has set for all worktrees: ${stray.join(', ')}`)
    }
    for (const worktree of worktreesOf(subject)) add(worktree.path, () => lostParts(worktree))
    if (lost.length + hopeless.length === 0) return pass('as git needs them')
    const [first] = hopeless
    return fail(some([...lost, ...hopeless.map(messageOf)]), lost.length > 0 ? byItself : (first?.hint ?? byItself))
  },
  fix: async (home) => {
    const done: string[] = []
    for (const mirror of mirrorsOf(home)) {
      if (lostPartsOfMirror(mirror).length + (await straySettings(mirror)).length === 0) continue
      await mirror.exclusively(async () => {
        const mended = await mendMirror(mirror)
        done.push(...mended.map((part) => `repaired in ${mirror.path}: ${part}`))
        const stray = await straySettings(mirror)
        await removeStraySettings(mirror, stray)
        done.push(...stray.map((setting) => `no longer set in ${mirror.path} for all worktrees: ${setting}`))
      })
    }
    for (const worktree of worktreesOf(subjectOf(home))) done.push(...(await mendWorktreeOf(home, worktree)))
    return done
  },
}

function mirrorsOf(home: Home): GitRepository[] {
  return listMirrors(home.paths).map(({ repository }) => mirrorOf(home, repository))
}

/** Repairs a worktree under its issue's lock. A worktree that cannot be repaired stays a finding. */
async function mendWorktreeOf(home: Home, worktree: NamedWorktree): Promise<string[]> {
  const mended = await unlessTaken(home.paths.lock(`issue-${worktree.name}`), () =>
    mendIfBroken({ warn: () => {} }, worktree).catch((error: unknown) => {
      if (error instanceof KugetsuError && error.code === 'worktree_broken') return []
      throw error
    }),
  )
  return (mended ?? []).map((part) => `repaired in ${worktree.path}: ${part}`)
}

function worktreesOf(subject: Subject): NamedWorktree[] {
  return subject.sessions().flatMap(({ name, record }) => {
    try {
      const worktree = worktreeOf(subject.home, record)
      return worktree === undefined ? [] : [{ name, ...worktree }]
    } catch {
      return [] // no issue, so no worktree that kugetsu has made
    }
  })
}
