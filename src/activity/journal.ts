import { maskerOf } from '../agents/known-secrets.ts'
import type { Home } from '../config/home.ts'
import { appendLines, newestLines } from '../platform/append-log.ts'

const rotateAtBytes = 5_000_000

export type Decision =
  | 'started'
  | 'continued'
  | 'steered'
  | 'refused'
  | 'queued'
  | 'retried'
  | 'gave_up'
  | 'removed'
  | 'undone'
  | 'finished'
  | 'failed'
  | 'timed_out'
  | 'stopped'
  | 'resumed'
  | 'prompted_again'
  | 'repeats'
  | 'unblocked'
  | 'permission'
  | 'destroyed'
  | 'not_destroyed'
  | 'pruned'
  | 'recovered'
  | 'pushed'

/** The fields of a home that a note needs. The plugin inside opencode has no more. */
type NotingHome = { paths: Pick<Home['paths'], 'journal' | 'lock' | 'env'> } & Pick<Home, 'env' | 'now'>

/** Notes a decision and its reason as a line of journal.jsonl. Never throws: a full disk loses the line, not the work. */
export function note(
  home: NotingHome,
  decision: Decision,
  about: { issue_ref?: string | null | undefined; reason: string },
): void {
  const told = { ...about, reason: maskerOf(home)(about.reason) }
  const line = { at: home.now().toISOString(), decision, ...told }
  try {
    appendLines({ file: home.paths.journal, lock: home.paths.lock('journal'), rotateAt: rotateAtBytes }, [line])
  } catch {
    // see above
  }
}

/** One line of the journal. */
export interface Entry {
  at: string
  decision: string
  issue_ref: string | null
  reason: string
}

/**
 * The entries about an issue, or about a queue item by its id, oldest first, as far as the journal and its rotated
 * predecessor reach back. Invalid lines are skipped, and a file that cannot be read is named in a warning.
 */
export function readJournal(home: Home, about: { issueRef: string | null; item?: string | undefined }): Entry[] {
  const issue = about.issueRef?.toLowerCase()
  const isAbout = (entry: Entry) =>
    (issue !== undefined && entry.issue_ref?.toLowerCase() === issue) ||
    (about.item !== undefined && entry.reason.split(/[\s:]/).includes(about.item))
  const lines = [...newestLines(home.paths.journal, home.warn)].reverse()
  return lines.flatMap((line) => {
    // Parsing all lines of ten megabytes takes long, and most are about other issues.
    const mentions = [issue, about.item?.toLowerCase()].some(
      (text) => text !== undefined && line.toLowerCase().includes(text),
    )
    if (!mentions) return []
    const entry = entryOf(line)
    return entry !== undefined && isAbout(entry) ? [entry] : []
  })
}

/** The decisions that are noted when a run ends. */
export const ends = ['finished', 'failed', 'timed_out', 'stopped']

/**
 * How the last run of each of these issues ended, by its key (the ref in lower case), as far as the journal reaches
 * back. Reads no further than needed.
 */
export function lastEnds(home: Home, issues: Iterable<string>): Map<string, string> {
  const wanted = new Set(issues)
  const found = new Map<string, string>()
  if (wanted.size === 0) return found
  for (const line of newestLines(home.paths.journal, home.warn)) {
    const entry = entryOf(line)
    const issue = entry?.issue_ref?.toLowerCase() ?? ''
    if (entry === undefined || !ends.includes(entry.decision) || !wanted.delete(issue)) continue
    found.set(issue, entry.decision)
    if (wanted.size === 0) break
  }
  return found
}

function entryOf(line: string): Entry | undefined {
  try {
    const { at, decision, issue_ref, reason } = JSON.parse(line) as Record<string, unknown>
    if (typeof at !== 'string' || typeof decision !== 'string') return undefined
    return {
      at,
      decision,
      issue_ref: typeof issue_ref === 'string' ? issue_ref : null,
      reason: typeof reason === 'string' ? reason : '',
    }
  } catch {
    return undefined
  }
}
