import * as path from 'node:path'
import { codeOf, KugetsuError } from '../../../core/errors.ts'
import { formatRef } from '../../../core/issue-ref.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { requirePerson } from '../../../core/within-agent.ts'
import {
  dropSaved,
  listSaved,
  recoverWork,
  type Recovered,
  type SavedPoint,
} from '../../../sessions/cleanup/recover.ts'
import { pointNamed } from '../../../worktrees/mirror/recovery-refs.ts'
import type { Context } from '../../terminal/context.ts'
import { confirm } from '../../terminal/confirm.ts'
import { requireWith } from '../../flags.ts'
import { age, printJson, styled, table, tilde } from '../../terminal/output.ts'
import { issueRef } from '../../refs.ts'
import { workingDirectory } from '../../working-directory.ts'

export interface RecoverOptions {
  what?: string | undefined
  to?: string
  drop?: string
  yes?: boolean
  json?: boolean
}

const header = ['ID', 'ISSUE_REF', 'SAVED', 'LEFT', 'WHAT']
const dayMs = 86_400_000

export async function runRecover(context: Context, options: RecoverOptions): Promise<void> {
  if (options.drop !== undefined && (options.what !== undefined || options.to !== undefined)) {
    throw new KugetsuError('--drop takes no other arguments', { hint: 'kugetsu recover --drop <id>', code: 'usage' })
  }
  if (options.to !== undefined && options.what === undefined) {
    throw new KugetsuError('say what to restore', { hint: 'kugetsu recover <id> --to <directory>', code: 'usage' })
  }
  requireWith('-y', options.yes === true, '--drop', options.drop !== undefined)
  const points = await listSaved(context)
  if (options.drop !== undefined) return drop(context, options, only(points, options.drop))
  if (options.what === undefined) return list(context, options, points)
  const { point, older } = await meant(context, points, options.what)
  const to = options.to === undefined ? undefined : absolute(context, options.to)
  report(context, options, point, await recoverWork(context, point, { to }), older)
}

function absolute(context: Context, file: string): string {
  return path.isAbsolute(file) ? file : path.join(workingDirectory(context), file)
}

function list(context: Context, options: RecoverOptions, points: SavedPoint[]): void {
  if (options.json === true) return printJson(context, points.map(viewOf))
  if (points.length === 0) return context.io.out('Nothing is saved\n')
  const rows = points.map((point) => [
    point.id,
    labelOf(point),
    age(point.savedAt.toISOString(), context.now()),
    left(point, context.now()),
    plainLine(point.summary, 200),
  ])
  const fit = { columns: context.io.columns, cutFirst: ['WHAT'], keepEnd: ['ISSUE_REF'] }
  context.io.out(table(header, rows, context.io.terminal ? fit : undefined))
}

function report(
  context: Context,
  options: RecoverOptions,
  point: SavedPoint,
  recovered: Recovered,
  older: number,
): void {
  const { issueRef: ref, branch, inProgress, operationFiles, leftOut } = recovered
  if (options.json === true) {
    return printJson(context, {
      id: point.id,
      issue_ref: ref ?? null,
      path: recovered.path,
      branch: branch ?? null,
      head: recovered.head,
      renamed: recovered.renamed,
      in_progress: inProgress ?? null,
      operation_files: operationFiles ?? null,
      left_out: leftOut,
    })
  }
  const { out } = context.io
  const line = (name: string, value: string | undefined) => value && out(`  ${name.padEnd(10)}${value}\n`)
  out(`${styled(context, 'green', 'Restored')} ${point.id} of ${styled(context, 'bold', labelOf(point))}\n`)
  line('worktree', tilde(context, recovered.path))
  line('branch', branch ?? `none: HEAD is detached at ${recovered.head.slice(0, 12)}`)
  for (const [own, name] of Object.entries(recovered.renamed)) {
    if (name !== branch) line('', `${plainLine(own, 60)} came back as ${plainLine(name, 100)}`)
  }
  line('not taken', notTaken(recovered))
  line('not saved', leftOut.length === 0 ? undefined : plainLine(leftOut.join(', '), 300))
  if (options.to === undefined && ref !== undefined) line('go on', `kugetsu continue ${ref}`)
  if (older > 0) line('older', `${older} more of this issue: kugetsu recover`)
}

/** The operation in progress, and where its patches, lists and messages are. */
function notTaken({ inProgress, operationFiles }: Recovered): string | undefined {
  const kept = operationFiles === undefined ? undefined : `git's own files of it are in ${operationFiles}/`
  if (inProgress === undefined)
    return kept && `messages and lists that were not committed: they are in ${operationFiles}/`
  return `${inProgress} was in progress; its files are here${kept === undefined ? '' : `, and ${kept}`}`
}

async function drop(context: Context, options: RecoverOptions, point: SavedPoint): Promise<void> {
  requirePerson(context.env)
  const what = `${point.id}, ${plainLine(point.summary, 200)}`
  await confirm(context, options, `Remove ${what} for good?`, { action: 'recover --drop', declined: 'not removed' })
  await dropSaved(context, point)
  if (options.json === true) return printJson(context, { dropped: point.id, ref: point.ref })
  context.io.out(`Removed ${what}\n`)
}

/** The saved point with that id, or the newest of that issue. */
async function meant(
  context: Context,
  points: SavedPoint[],
  text: string,
): Promise<{ point: SavedPoint; older: number }> {
  const named = pointNamed(points, text)
  if (named !== undefined) return { point: named, older: 0 }
  if (/^(?=.*[a-f])[0-9a-f]{7,64}$/.test(text)) throw nothing(text)
  const tracked = points.flatMap(({ issue }) => (issue === undefined ? [] : [formatRef(issue)]))
  const ref = formatRef(
    await issueRef(context, text, { tracked }).catch(async (error: unknown) => {
      // A part of the ref of an issue of which nothing is saved.
      if (codeOf(error) !== 'bad_ref') throw error
      return issueRef(context, text).catch(() => Promise.reject(error))
    }),
  )
  const [point, ...older] = points.filter(({ issue }) => issue !== undefined && formatRef(issue) === ref)
  if (point === undefined) throw nothing(ref)
  return { point, older: older.length }
}

function only(points: SavedPoint[], text: string): SavedPoint {
  const point = pointNamed(points, text)
  if (point === undefined) throw nothing(text)
  return point
}

function nothing(text: string): KugetsuError {
  return new KugetsuError(`nothing is saved as ${JSON.stringify(plainLine(text, 100))}`, {
    hint: '"kugetsu recover" lists what is saved.',
    code: 'unknown_recovery',
  })
}

function labelOf(point: SavedPoint): string {
  return plainLine(point.issue === undefined ? point.name : formatRef(point.issue), 200)
}

/** How much longer the point is kept; the next "kugetsu prune --force" removes one past its time. */
function left(point: SavedPoint, now: Date): string {
  const days = (point.expiresAt.getTime() - now.getTime()) / dayMs
  return days <= 0 ? 'over' : days < 1 ? '<1d' : `${Math.floor(days)}d`
}

function viewOf(point: SavedPoint) {
  const { record } = point
  return {
    id: point.id,
    issue_ref: point.issue === undefined ? null : formatRef(point.issue),
    saved_at: point.savedAt.toISOString(),
    expires_at: point.expiresAt.toISOString(),
    summary: point.summary,
    branch: record?.on ?? null,
    head: record?.head ?? point.commit,
    commits: record?.counts.commits ?? null,
    uncommitted: record?.counts.uncommitted ?? null,
    untracked: record?.counts.untracked ?? null,
    ignored: record?.counts.ignored ?? null,
    stashes: record?.counts.stashes ?? null,
    left_out: record?.left_out ?? [],
    ref: point.ref,
    mirror: point.mirror.path,
  }
}
