/** The issues as a person sees them on a terminal. */
import { shortNames } from '../../../core/issue-ref.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { groupOf, type Status } from '../../../sessions/status/status.ts'
import type { Issue } from '../../../tasks/issues.ts'
import type { Context } from '../../terminal/context.ts'
import { age, styled, table } from '../../terminal/output.ts'

const header = ['REF', 'STATUS', 'TASK', 'LAST', 'BRANCH', 'PR', 'COST']
const fit = {
  cutFirst: ['TASK', 'BRANCH'],
  leaveOut: ['BRANCH', 'COST', 'PR', 'LAST', 'TASK'],
  keepEnd: ['REF'],
  atLeast: { TASK: 16 },
  toTheRight: ['LAST', 'COST'],
}
/** More than any terminal shows. */
const longestCell = 400

const colours: Partial<Record<Status, 'red' | 'yellow' | 'green' | 'cyan' | 'dim'>> = {
  failed: 'red',
  incomplete: 'yellow',
  waiting: 'yellow',
  interrupted: 'yellow',
  running: 'cyan',
  starting: 'cyan',
  done: 'green',
  queued: 'dim',
  stopped: 'dim',
}

/** What needs a person first, then what runs, what waits in the order of the queue, what has ended; newest event first. */
export function inOrderOfNeed(issues: readonly Issue[]): Issue[] {
  return issues.toSorted(
    (a, b) =>
      groupOf(a.status) - groupOf(b.status) ||
      (a.ahead ?? -1) - (b.ahead ?? -1) ||
      (b.last_event_at ?? '').localeCompare(a.last_event_at ?? '') ||
      natural(a.issue_ref ?? '', b.issue_ref ?? ''),
  )
}

/**
 * The table of issues for a terminal of `context.io.columns`. Columns in which no row has anything are left out. A REF means
 * no other of the `known` issues.
 */
export function issueTable(context: Context, issues: readonly Issue[], known: readonly Issue[] = issues): string {
  const now = context.now()
  const shortName = shortNames(known.map(({ issue_ref: ref }) => ref ?? ''))
  const rows = issues.map((issue) =>
    [
      shortName(issue.issue_ref ?? '') || '(unknown)',
      statusWords(issue),
      issue.task ?? '',
      age(issue.last_event_at, now),
      issue.branch ?? '',
      issue.pr_url === null ? '' : shortPullRequest(issue.pr_url),
      issue.cost === null ? '' : `$${issue.cost.toFixed(2)}`,
    ].map((cell) => plainLine(cell, longestCell)),
  )
  const used = header.map((_, column) => column < 3 || rows.some((row) => row[column] !== ''))
  const only = (row: string[]) => row.filter((_, column) => used[column])
  return table(only(header), rows.map(only), {
    ...fit,
    columns: context.io.columns,
    paint: (title, row, cell) => {
      if (row === -1) return styled(context, 'dim', cell)
      const style = title === 'STATUS' ? colours[issues[row]?.status ?? 'done'] : undefined
      return style === undefined ? cell : styled(context, style, cell)
    },
  })
}

/** The status with the fact that a person asks next: `queued, 2 ahead`. */
export function statusWords({ status, ahead }: Pick<Issue, 'status' | 'ahead'>): string {
  return status === 'queued' && ahead !== null && ahead > 0 ? `queued, ${ahead} ahead` : status
}

function shortPullRequest(url: string): string {
  const [, number] = /\/(\d+)\/?$/.exec(url) ?? []
  return number === undefined ? url : `#${number}`
}

/** Compares texts with their numbers as numbers: `app#9` is before `app#10`. */
function natural(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
