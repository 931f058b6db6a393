/**
 * How the runs of queue items ended, queue/ended/<item>.json: written before the run is gone from its session, and kept
 * until the end is noted on the item. The session file cannot keep the end, because the session may be destroyed, or
 * have its next run by then.
 */
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { startOf } from '../../core/columns.ts'
import { aBoolean, aNumber, aText, type Described, nullable, nullish, readFields, required } from '../../core/fields.ts'
import { ensureDirectory, listDirectory, removeFile, writeJson } from '../../platform/files.ts'
import { readState } from '../../platform/state-file.ts'
import { branchNow } from '../file/branches.ts'
import type { Run, SessionRecord, Ending } from '../file/session-file.ts'

/** In characters; the log has the whole answer. */
const longestAnswer = 20_000

const fields = {
  /** The session file's name without `.json`. */
  session: required(aText),
  slot: nullable(aText),
  state: required(aText),
  error: nullable(aText),
  stopped: required(aBoolean),
  /** The agent was never told its task. */
  never_began: required(aBoolean),
  ended_at: required(aText),
  opencode_session_id: nullable(aText),
  /** Of this run alone, in dollars. */
  cost: nullable(aNumber),
  branch: nullable(aText),
  base_branch: nullable(aText),
  worktree_path: nullable(aText),
  pr_url: nullable(aText),
  /** What the agent said last. */
  answer: nullish(aText),
}
export type KeptEnd = Described<typeof fields>

/** Keeps how a run of `session` ends; does nothing for a run without a queue item. */
export function keepEnd(home: Home, session: string, record: SessionRecord, run: Run, ending: Ending): void {
  if (run.queue_item === undefined) return
  const end: KeptEnd = {
    session,
    slot: run.slot,
    state: ending.state,
    error: ending.error ?? null,
    stopped: ending.stopped === true,
    never_began: neverBegan(run, ending),
    ended_at: home.now().toISOString(),
    opencode_session_id: record.opencode_session_id ?? null,
    cost: costOfRun(record.cost ?? 0, ending.cost),
    branch: branchNow(record) ?? null,
    base_branch: record.base_branch ?? null,
    worktree_path: record.worktree_path ?? null,
    pr_url: record.pr_url ?? null,
    answer: ending.answer === undefined ? null : cut(ending.answer),
  }
  ensureDirectory(home.paths.queueEnded)
  writeJson(fileOf(home, run.queue_item), end)
}

/** Whether the agent was never told its task. It will not do the task then, so the task counts as not begun. */
export function neverBegan(run: Run, ending: Ending): boolean {
  return ending.undelivered === true && run.message_ids.length === 1
}

/** The ids of the items with a kept end. */
export function itemsWithEnd(home: Home): string[] {
  return listDirectory(home.paths.queueEnded)
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .map((name) => name.slice(0, -'.json'.length))
}

/** How the run of an item ended, if that was kept. An unreadable file is set aside. */
export function readEnd(home: Home, item: string): KeptEnd | undefined {
  const file = fileOf(home, item)
  const read = readState(file, (value) => readFields(fields, value), home.now())
  if (read.kind === 'read') return read.value
  if (read.kind === 'spoiled') {
    home.warn(`${file} cannot be understood and was set aside: how the run of ${item} ended is not known`)
  }
  return undefined
}

/** Call this when the end is noted on the item, or the item is begun anew. */
export function dropEnd(home: Home, item: string): void {
  removeFile(fileOf(home, item))
}

function cut(answer: string): string {
  return answer.length > longestAnswer ? `${startOf(answer, longestAnswer)} …` : answer
}

function fileOf(home: Home, item: string): string {
  return path.join(home.paths.queueEnded, `${path.basename(item)}.json`)
}

/** opencode counts the cost of the whole session, and begins at zero in a new session. */
function costOfRun(before: number, after: number | undefined): number | null {
  if (after === undefined) return null
  return Math.round((after >= before ? after - before : after) * 1e6) / 1e6
}
