/**
 * Closes the worktrees without a run in the opencode server. The server opens a worktree at its first prompt, takes
 * about 40 MB for each and never closes one: in weeks of work that fills the memory.
 */
import * as fs from 'node:fs'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import type { Server } from '../../server/server.ts'
import { unlessTaken } from '../../platform/locks.ts'
import { readSession, type StoredSession } from '../../sessions/file/store.ts'

/** How long a worktree stays open for a next message: opening it takes opencode a second. */
const restMs = 5 * 60_000

interface Open {
  name: string
  /** Since when the worktree has had no run, by a clock that does not jump; undefined while it has one. */
  since: number | undefined
}

export interface Instances {
  /**
   * One look: `atWork` are the sessions with a run. Begins to close what is due, without waiting for it. As many
   * worktrees stay open as there may be agents: those used last.
   */
  look: (server: Server | undefined, atWork: readonly StoredSession[]) => void
  /** Waits for what is being closed. */
  close: () => Promise<void>
}

/** `isWatched`: a person is attached to a session, and may have agents at work that kugetsu does not know of. */
export function createInstances(home: Home, isWatched: () => boolean): Instances {
  /** By directory. When a server is gone, all of its directories are closed. */
  let open = new Map<string, Open>()
  let marker: string | undefined
  let closing: Promise<void> | undefined

  function look(server: Server | undefined, atWork: readonly StoredSession[]): void {
    if (server?.record.marker !== marker) open = new Map()
    marker = server?.record.marker
    if (server === undefined) return
    const now = performance.now()
    const working = new Map(
      atWork.flatMap(({ name, record }) => (record.worktree_path ? [[record.worktree_path, name] as const] : [])),
    )
    for (const [directory, name] of working) open.set(directory, { name, since: undefined })
    for (const [directory, each] of open) if (!working.has(directory)) each.since ??= now
    const atRest = [...open]
      .flatMap(([directory, { name, since }]) => (since === undefined ? [] : [{ directory, name, since }]))
      // The base stays open: all agents are forked there.
      .filter(({ directory }) => directory !== home.paths.base)
      .sort((a, b) => a.since - b.since)
    if (closing !== undefined || atRest.length === 0) return
    const tooMany = atRest.length - mostAtRest()
    const due = atRest.filter(({ since }, index) => index < tooMany || now - since > restMs)
    if (due.length === 0 || isWatched()) return
    closing = closeAll(server, due).finally(() => (closing = undefined))
  }

  /** A bad configuration is reported elsewhere; here it closes nothing early. */
  function mostAtRest(): number {
    try {
      return home.settings().maxConcurrentAgents
    } catch {
      return Infinity
    }
  }

  async function closeAll(server: Server, due: readonly { directory: string; name: string }[]): Promise<void> {
    for (const each of due) await close(server, each)
  }

  async function close(server: Server, { directory, name }: { directory: string; name: string }): Promise<void> {
    // A command that gives the agent its next prompt holds this lock.
    await unlessTaken(home.paths.lock(`issue-${name}`), async () => {
      const record = readSession(home, name)
      if (record?.run || record?.state === 'starting') return
      open.delete(directory)
      if (!fs.existsSync(directory)) return // destroyed, and closed by that
      // A person may be working in there; kugetsu must not end their work.
      if (await server.client.isBusy(directory)) return
      await server.client.close(directory)
    }).catch((error: unknown) => home.progress(`${directory} stays open in opencode: ${messageOf(error)}`))
  }

  return { look, close: async () => closing }
}
