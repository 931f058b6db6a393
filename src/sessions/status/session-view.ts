import * as fs from 'node:fs'
import type { Home } from '../../config/home.ts'
import { lazy } from '../../core/lazy.ts'
import { branchNow } from '../file/branches.ts'
import { isInterrupted, livingServer } from '../runs/interrupted.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { waitingStarts, type WaitingStart } from '../file/waiting-starts.ts'
import { slotHolders, type Holder } from '../slots/slots.ts'
import { statusOf, type Status } from './status.ts'
import { baseName, pmAgentSession, readIndex, readSessions } from '../file/store.ts'

/** A session as `list --json` shows it; scripts rely on these names. */
export interface SessionView {
  issue_ref: string | null
  type: string
  state: string
  opencode_session_id: string | null
  worktree_path: string | null
  branch: string | null
  base_branch: string | null
  pr_url: string | null
  created_at: string | null
  updated_at: string | null
  model: string | null
  cost: number | null
  tokens: unknown
  last_error: string | null
  /** One word for the issue's status, see status.ts. `state` keeps the words of 0.1.0. */
  status: Status
  /** How its last run ended: finished, failed, timed_out or stopped; null when not on file. */
  ended: string | null
  /** The beginning of the first message to its agent; null in files of 0.1.0. */
  task: string | null
  /** When its last run ended; while an agent works, when it was last active. */
  last_event_at: string | null
}

/** The sessions of the index, or with `all` also those that the index lacks; base and PM agent first. */
export function sessionViews(home: Home, options: { all: boolean }): SessionView[] {
  const indexed = new Set(Object.values(readIndex(home)?.issues ?? {}))
  const facts = lazy(() => factsOf(home))
  return readSessions(home)
    .filter(({ name }) => options.all || name === baseName || name === pmAgentSession || indexed.has(`${name}.json`))
    .map(({ name, record }) => viewOf(home, record, stateOf(name, record, facts)))
}

/** One session as `list --json` shows it. */
export function sessionView(home: Home, name: string, record: SessionRecord): SessionView {
  return viewOf(
    home,
    record,
    stateOf(name, record, () => factsOf(home)),
  )
}

interface Facts {
  /** The marker of the living server; null when it cannot be told. */
  server: string | null | undefined
  holders: Holder[]
  waiting: WaitingStart[]
}

function factsOf(home: Home): Facts {
  return { server: livingServer(home), holders: slotHolders(home), waiting: waitingStarts(home) }
}

/** The state in the session file is only true while the processes behind it live. */
function stateOf(name: string, record: SessionRecord, facts: () => Facts): string {
  if (record.run) return isInterrupted(record.run, facts().server) ? 'interrupted' : record.state
  if (record.state !== 'starting') return record.state
  const { holders, waiting } = facts()
  return [...holders, ...waiting].some(({ session }) => session === name) ? 'starting' : 'interrupted'
}

function viewOf(home: Home, record: SessionRecord, state: string): SessionView {
  return {
    issue_ref: record.issue_ref ?? null,
    type: record.type,
    state,
    opencode_session_id: record.opencode_session_id ?? null,
    worktree_path: record.worktree_path ?? null,
    branch: branchNow(record) ?? null,
    base_branch: record.base_branch ?? null,
    pr_url: record.pr_url || null,
    created_at: record.created_at ?? null,
    updated_at: record.updated_at ?? null,
    model: record.model ?? null,
    cost: record.cost ?? null,
    tokens: record.tokens ?? null,
    last_error: record.last_error ?? null,
    status: statusOf({ state, ended: record.ended?.how }),
    ended: record.ended?.how ?? null,
    task: record.task ?? null,
    last_event_at: lastEventAt(home, record),
  }
}

function lastEventAt(home: Home, record: SessionRecord): string | null {
  if (!record.run) return record.ended?.at ?? record.updated_at ?? null
  const id = record.opencode_session_id
  const transcript = id ? fs.statSync(home.paths.transcript(id), { throwIfNoEntry: false }) : undefined
  return transcript?.mtime.toISOString() ?? record.run.started_at
}
