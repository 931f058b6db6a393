/** `kugetsu down`: ends all that runs for a home, and removes the home. Killed at any step, it can be called again. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { listDirectory } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { stopServer } from '../server/server.ts'
import { destroyIssue } from '../sessions/cleanup/destroy.ts'
import { destroyOwnSessions } from '../sessions/cleanup/destroy-base.ts'
import { readMirrors } from '../sessions/cleanup/orphan.ts'
import { lostWorktrees } from '../sessions/cleanup/orphans.ts'
import { closeWorktree } from '../sessions/cleanup/opencode-session.ts'
import { sessionsOfIssues, readSessions } from '../sessions/file/store.ts'
import { mirrorOf } from '../sessions/file/worktree-handles.ts'
import { close, reopen } from '../sessions/slots/closing.ts'
import { createRemotes } from '../worktrees/at-risk/remotes.ts'
import { listMirrors, listMirrorsAndSaved } from '../worktrees/mirror/list.ts'
import { removeSaved } from '../worktrees/mirror/saved-repository.ts'
import { removeMirror } from '../worktrees/mirror/unused.ts'
import { endAll, endWaitingDaemons, isAtRest, type Running, whatRuns } from './end-all.ts'
import { removeInstalled } from './installed.ts'
import { onlySaved } from './only-here.ts'
import { removeOwnFiles } from './own-files.ts'

/** How long to wait for another `down`, in milliseconds. */
const otherDownMs = 10 * 60_000

/** Ends all that runs. Returns what did. Throws as endAll(). */
export async function down(home: Home): Promise<Running> {
  return alone(home, async () => {
    const running = await whatRuns(home)
    if (!isAtRest(home, running)) await endAll(home, async () => {})
    return running
  })
}

export interface Purged {
  running: Running
  /** What stays in the home because it is not kugetsu's, by path. */
  left: string[]
  /** What was removed outside of the home, by path. */
  installed: string[]
}

/**
 * Ends all that runs and removes the home, with its sessions in opencode. The caller has asked onlyHere(); here everything
 * is asked again under its lock. Throws KugetsuError `work_at_risk` when something is only here, `not_a_home`, and what
 * endAll() throws; what is not removed yet stays as it is then.
 */
export async function purge(home: Home): Promise<Purged> {
  requireHome(home)
  return alone(home, async () => {
    const running = await whatRuns(home)
    return endAll(home, async (daemonless) => {
      await removeIssues(daemonless)
      await destroyOwnSessions(daemonless, { force: false })
      await stopServer(home, () => false)
      await removeRepositories(home)
      const installed = removeInstalled(home)
      await endWaitingDaemons(home)
      await removeOwnFiles(home.paths.home, true)
      return { running, installed, left: await removeOwnFiles(home.paths.home, false) }
    })
  })
}

/** Throws KugetsuError `not_a_home` for a directory that kugetsu has not made: its files may have the same names. */
export function requireHome(home: Home): void {
  if (fs.existsSync(home.paths.index) || path.basename(home.paths.home) === '.kugetsu') return
  throw new KugetsuError(`${home.paths.home} is no home of kugetsu: it has no index.json`, {
    hint: 'Check KUGETSU_DIR. Nothing was removed.',
    code: 'not_a_home',
  })
}

/** Runs `work` while the home is closed for starts, and no other `down` runs. */
async function alone<T>(home: Home, work: () => Promise<T>): Promise<T> {
  const wait = { timeoutMs: otherDownMs, signal: home.signal }
  return exclusively(home.paths.lock('down'), wait, async () => {
    close(home)
    try {
      return await work()
    } finally {
      reopen(home)
      // Another command has removed the home while this one waited for it.
      if (listDirectory(home.paths.home).join() === 'locks') await removeOwnFiles(home.paths.home, false)
    }
  })
}

/** Removes the issues, and the worktrees without one. */
async function removeIssues(home: Home): Promise<void> {
  const remotes = createRemotes()
  for (const { name } of sessionsOfIssues(readSessions(home))) {
    await destroyIssue(home, name, { force: false, remotes, openIsFine: true })
  }
  for (const { what, remove } of lostWorktrees(home, readMirrors(home), { sessions: [], awaited: [] }, remotes, true)) {
    await remove()
    await closeWorktree(home, what)
  }
}

async function removeRepositories(home: Home): Promise<void> {
  const [saved] = await onlySaved(home)
  if (saved !== undefined) {
    throw new KugetsuError(`${saved.what} is only here: ${saved.reasons.join('; ')}`, {
      hint: `Bring it elsewhere: ${saved.next.join('; ')}`,
      code: 'work_at_risk',
    })
  }
  for (const { repository, path: place } of listMirrors(home.paths)) {
    home.progress(`removing ${place}`, 'passing')
    await removeMirror(mirrorOf(home, repository), home.now()).catch((error: unknown) => {
      home.signal.throwIfAborted()
      throw new KugetsuError(`the repository ${place} stays: ${messageOf(error)}`, {
        hint: `Look what is in it: git --git-dir=${place} log --all --not --remotes`,
        code: 'work_at_risk',
        cause: error,
      })
    })
  }
  // Without a mirror, and without anything saved.
  for (const { repository, path: place } of listMirrorsAndSaved(home.paths)) {
    await mirrorOf(home, repository).exclusively(() => removeSaved(place))
  }
}
