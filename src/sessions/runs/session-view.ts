import type { Home } from '../../config/home.ts'
import { lazy } from '../../core/lazy.ts'
import { branchNow } from '../file/branches.ts'
import { isInterrupted, livingServer } from './interrupted.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { waitingStarts, type WaitingStart } from '../file/waiting-starts.ts'
import { slotHolders, type Holder } from '../slots/slots.ts'
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
}

/** The sessions of the index, or with `all` also those that the index lacks; base and PM agent first. */
export function sessionViews(home: Home, options: { all: boolean }): SessionView[] {
  const indexed = new Set(Object.values(readIndex(home)?.issues ?? {}))
  const facts = lazy(() => factsOf(home))
  return readSessions(home)
    .filter(({ name }) => options.all || name === baseName || name === pmAgentSession || indexed.has(`${name}.json`))
    .map(({ name, record }) => viewOf(record, stateOf(name, record, facts)))
}

/** One session as `list --json` shows it. */
export function sessionView(home: Home, name: string, record: SessionRecord): SessionView {
  return viewOf(
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

function viewOf(record: SessionRecord, state: string): SessionView {
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
  }
}
