/** git's own files in worktrees and mirrors: they may be deleted by hand, or left empty by a power cut. */
import type { Home } from '../../config/home.ts'
import { listMirrors } from '../../worktrees/mirror/list.ts'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import { branchOf, parseRef, type IssueRef } from '../../core/issue-ref.ts'
import { exclusively, unlessTaken } from '../../platform/locks.ts'
import { mendIfBroken } from '../../sessions/runs/mend-worktree.ts'
import { localGitMs } from '../../git/git.ts'
import { lostParts } from '../../worktrees/mend.ts'
import { lostPartsOfMirror, mendMirror } from '../../worktrees/mirror/mend.ts'
import { mirrorLockWaitMs } from '../../worktrees/mirror/mirror.ts'
import { removeStraySettings, straySettings } from '../../worktrees/mirror/stray-settings.ts'
import { byItself, fail, pass, some, type Check } from '../check.ts'
import { subjectOf, type Subject } from '../subject.ts'

interface IssueWorktree {
  name: string
  ref: IssueRef
  path: string
  branch: string
}

export const gitFiles: Check = {
  name: 'git files',
  look: async (subject) => {
    const { paths } = subject.home
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
    for (const mirror of listMirrors(paths)) {
      add(mirror.path, () => lostPartsOfMirror(mirror.path))
      const stray = await straySettings(gitIn(subject.home, mirror.path))
      if (stray.length > 0) lost.push(`${mirror.path}: an agent has set for all worktrees: ${stray.join(', ')}`)
    }
    for (const worktree of worktreesOf(subject)) {
      const options = { ...worktree, mirror: paths.mirror(worktree.ref) }
      add(worktree.path, () => lostParts(options))
    }
    if (lost.length + hopeless.length === 0) return pass('as git needs them')
    const [first] = hopeless
    return fail(some([...lost, ...hopeless.map(messageOf)]), lost.length > 0 ? byItself : (first?.hint ?? byItself))
  },
  fix: async (home) => {
    const done: string[] = []
    for (const { path, repository } of listMirrors(home.paths)) {
      const options = gitIn(home, path)
      if (lostPartsOfMirror(path).length + (await straySettings(options)).length === 0) continue
      const wait = { timeoutMs: mirrorLockWaitMs, signal: home.signal }
      await exclusively(home.paths.mirrorLock(repository), wait, async () => {
        const mended = await mendMirror(options)
        done.push(...mended.map((part) => `repaired in ${path}: ${part}`))
        const stray = await straySettings(options)
        await removeStraySettings(options, stray)
        done.push(...stray.map((setting) => `no longer set in ${path} for all worktrees: ${setting}`))
      })
    }
    for (const worktree of worktreesOf(subjectOf(home))) done.push(...(await mendWorktreeOf(home, worktree)))
    return done
  },
}

function gitIn(home: Home, path: string) {
  return { env: home.env, timeoutMs: localGitMs, signal: home.signal, path }
}

/** Repairs a worktree under its issue's lock. A worktree that cannot be repaired stays a finding. */
async function mendWorktreeOf(home: Home, worktree: IssueWorktree): Promise<string[]> {
  const mended = await unlessTaken(home.paths.lock(`issue-${worktree.name}`), () =>
    mendIfBroken({ ...home, warn: () => {} }, worktree.ref, worktree).catch((error: unknown) => {
      if (error instanceof KugetsuError && error.code === 'worktree_broken') return []
      throw error
    }),
  )
  return (mended ?? []).map((part) => `repaired in ${worktree.path}: ${part}`)
}

function worktreesOf(subject: Subject): IssueWorktree[] {
  return subject.sessions().flatMap(({ name, record }) => {
    if (!record.issue_ref || !record.worktree_path) return []
    try {
      const ref = parseRef(record.issue_ref, { defaultHost: '' })
      return [{ name, ref, path: record.worktree_path, branch: record.branch_name ?? branchOf(ref) }]
    } catch {
      return [] // no issue, so no worktree that kugetsu has made
    }
  })
}
