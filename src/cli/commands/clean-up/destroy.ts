import { KugetsuError } from '../../../core/errors.ts'
import { parseRef } from '../../../core/issue-ref.ts'
import { counted } from '../../../core/wording.ts'
import { requirePerson } from '../../../core/within-agent.ts'
import { destroyIssue, type Destroyed } from '../../../sessions/cleanup/destroy.ts'
import { destroyBase, destroyPmAgent } from '../../../sessions/cleanup/destroy-base.ts'
import { pullRequestsOf } from '../../../sessions/file/pull-requests.ts'
import { nameOf } from '../../../sessions/file/session-name.ts'
import { readSession } from '../../../sessions/file/store.ts'
import { statuses, type Status } from '../../../sessions/status/status.ts'
import { removeTasksOf } from '../../../tasks/change.ts'
import type { Issue } from '../../../tasks/issues.ts'
import { recoveryDays } from '../../../worktrees/mirror/recovery-refs.ts'
import { confirm } from '../../terminal/confirm.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson } from '../../terminal/output.ts'
import { knownIssue, type KnownIssue } from '../../refs.ts'
import { forEachRef, selected, type Selection } from '../../several.ts'

export interface DestroyOptions extends Selection {
  merged?: boolean
  yes?: boolean
  force?: boolean
  pmAgent?: boolean
  base?: boolean
  json?: boolean
}

const words = { action: 'destroy', declined: 'not destroyed' }
const atRest: Status[] = ['done', 'incomplete', 'failed', 'stopped', 'queued']

export async function runDestroy(context: Context, options: DestroyOptions): Promise<void> {
  const bySelection = options.all === true || options.merged === true || options.status !== undefined
  const chosen = [options.refs.length > 0, bySelection, options.pmAgent === true, options.base === true].filter(Boolean)
  if (chosen.length !== 1) {
    const several = 'destroy takes only one of issue refs, --all, --merged or --status, --pm-agent and --base'
    throw new KugetsuError(chosen.length > 1 ? several : 'say what to destroy: an issue ref, --pm-agent or --base', {
      hint: 'kugetsu destroy <issue-ref…>, kugetsu destroy --merged, kugetsu destroy --pm-agent, or kugetsu destroy --base',
      code: 'usage',
    })
  }
  if (options.refs.length === 0 || options.force === true) {
    requirePerson(context.env, 'Report the reason that "kugetsu destroy" gives without --force.')
  }
  const force = { force: options.force === true }
  if (options.pmAgent === true) {
    await confirm(context, options, 'Destroy the PM agent session?', words)
    await destroyPmAgent(context, force)
    return report(context, options, [])
  }
  if (options.base === true) {
    await confirm(
      context,
      options,
      'Destroy the base session, the PM agent and ALL issue sessions and worktrees?',
      words,
    )
    return report(context, options, await destroyBase(context, force))
  }
  const refs = await chosenRefs(context, options)
  await forEachRef(context, { ...options, isList: bySelection }, refs, async (ref) => {
    const issue = await knownIssue(context, ref)
    if (!bySelection && refs.length === 1) await confirm(context, options, `Destroy ${whatOf(issue)}?`, words)
    return destroy(context, options, issue)
  })
}

/** The issues to destroy. Several are asked about once, here. */
async function chosenRefs(context: Context, options: DestroyOptions): Promise<string[]> {
  const { merged, all = merged } = options
  const chosen = await selected(context, { ...options, all: all === true }, statuses)
  if ('refs' in chosen) {
    if (chosen.refs.length > 1) await confirm(context, options, `Destroy ${chosen.refs.length} issues?`, words)
    return chosen.refs
  }
  const found = merged === true ? await mergedOnes(context, chosen.issues) : chosen.issues
  // With --force an agent at work is stopped; without it, --all and --merged leave an issue that has one.
  const takesAll = options.force === true || options.status !== undefined
  const left = takesAll ? [] : found.filter(({ status }) => !atRest.includes(status))
  for (const { issue_ref: ref, status } of left) context.warn(`${ref} is left: it is ${status}`)
  const refs = found.filter((issue) => !left.includes(issue)).map(({ issue_ref: ref }) => ref ?? '')
  if (refs.length === 0) {
    if (options.json !== true) context.io.out('No issue fits: nothing was destroyed\n')
    return []
  }
  for (const ref of refs) context.io.err(`  ${ref}\n`)
  await confirm(context, options, `Destroy worktree and session of ${counted(refs.length, 'issue')}?`, words)
  return refs
}

/**
 * The issues with a pull request that the forge calls merged. An issue about which a forge says nothing is named and
 * left.
 */
async function mergedOnes(context: Context, issues: readonly Issue[]): Promise<Issue[]> {
  const merged: Issue[] = []
  for (const issue of issues) {
    const record = readSession(context, nameOf(context, parseRef(issue.issue_ref ?? '', { defaultHost: '' })))
    if (record === undefined) continue
    const { found, unknown } = await pullRequestsOf(context, record)
    if (found.some(({ state }) => state === 'open')) continue
    if (found.some(({ state }) => state === 'merged')) merged.push(issue)
    else if (unknown !== undefined) context.warn(`${issue.issue_ref} is left: ${unknown}`)
  }
  return merged
}

function whatOf({ label, record }: KnownIssue): string {
  return record === undefined ? `the task of ${label}` : `worktree and session of ${label}`
}

/** Destroys the session of an issue, then the tasks that would begin it anew. */
async function destroy(
  context: Context,
  options: DestroyOptions,
  { label, name, record }: KnownIssue,
): Promise<unknown> {
  const destroyed =
    record === undefined
      ? { issueRef: label, recovery: undefined }
      : await destroyIssue(context, name, { force: options.force === true })
  const removed = await removeTasksOf(context, label)
  if (options.json === true) return asJson(options, [destroyed])
  print(context, destroyed)
  if (removed.length > 0) context.io.out(`  ${counted(removed.length, 'task')} of it taken out of the queue\n`)
  return undefined
}

function asJson(options: DestroyOptions, destroyed: Destroyed[]): object {
  const what = options.base === true ? 'base' : options.pmAgent === true ? 'pm-agent' : 'issue'
  const issues = destroyed.map(({ issueRef, recovery }) => ({
    issue_ref: issueRef,
    recovery_ref: recovery?.ref ?? null,
  }))
  return { destroyed: what, issues }
}

function print(context: Context, { issueRef, recovery }: Destroyed): void {
  context.io.out(`Destroyed ${issueRef}\n`)
  if (recovery === undefined) return
  context.io.out(`  Its work is kept for ${recoveryDays} days as ${recovery.ref}\n`)
  context.io.out(`  To get it back: kugetsu recover ${issueRef}\n`)
}

function report(context: Context, options: DestroyOptions, destroyed: Destroyed[]): void {
  if (options.json === true) return printJson(context, asJson(options, destroyed))
  for (const each of destroyed) print(context, each)
  if (options.pmAgent === true) context.io.out('Destroyed the PM agent session\n')
  if (options.base === true)
    context.io.out('Destroyed the base session and the PM agent; "kugetsu init" makes new ones\n')
}
