/** Removes what belongs to an issue, without ever losing work. */
import type { Home } from '../../config/home.ts'
import { codeOf, KugetsuError, messageOf } from '../../core/errors.ts'
import { formatRef } from '../../core/issue-ref.ts'
import { exclusively } from '../../platform/locks.ts'
import {
  describeInventory,
  describeLost,
  describeSavedByItself,
  isAtRisk,
  isUnclear,
  type Keeping,
  moveItAway,
} from '../../worktrees/at-risk/describe.ts'
import type { Inventory } from '../../worktrees/at-risk/inventory.ts'
import { createRemotes, type Remotes } from '../../worktrees/at-risk/remotes.ts'
import { saveWork } from '../../worktrees/saving/save.ts'
import { removeWorktree } from '../../worktrees/worktrees.ts'
import { isAtWorkByHand, stopWorkByHand } from '../runs/by-hand.ts'
import { type IssueWork, workOf } from './inventory.ts'
import { closeWorktree, deleteOpencodeSession, outputsOf } from './opencode-session.ts'
import { note } from '../../activity/journal.ts'
import { quietWorktree } from '../runs/left-running.ts'
import { mendIfBroken } from '../../worktrees/mend.ts'
import { noPullRequests, pullRequestsOf, type PullRequests } from '../file/pull-requests.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { forgetRemembered } from '../runs/conversation.ts'
import { stopAgent } from '../runs/stop.ts'
import { forgetSession, readSession } from '../file/store.ts'

const issueWaitMs = 10_000

/** Where work was saved: see recoveryCommands. */
export interface Recovery {
  ref: string
  mirror: string
}

export interface Destroyed {
  issueRef: string
  /** Where the work was saved that would have been lost. */
  recovery: Recovery | undefined
}

/**
 * Why the issue's worktree must not be removed yet. Anything unknown counts as a reason. Unless `pullRequests` is given, they are looked up, which may take a while.
 */
export async function whyIssueStays(
  home: Home,
  record: SessionRecord,
  known: { pullRequests?: PullRequests; remotes?: Remotes } = {},
): Promise<Keeping> {
  const pullRequests = known.pullRequests ?? (await pullRequestsToCheck(home, record))
  const { reasons, isUnclear } = await workToKeep(home, record, { ...known, pullRequests })
  return { reasons: [...(await atWork(home, record)), ...openOnes(pullRequests), ...reasons], isUnclear }
}

async function workToKeep(
  home: Home,
  record: SessionRecord,
  known: { pullRequests: PullRequests; remotes?: Remotes },
): Promise<Keeping> {
  try {
    const found = await workOf(home, record, known)?.inventory()
    return { reasons: reasonsIn(found, known.pullRequests), isUnclear: found !== undefined && isUnclear(found) }
  } catch (error) {
    home.signal.throwIfAborted()
    return { reasons: [`cannot tell what would be lost: ${messageOf(error)}`], isUnclear: true }
  }
}

function reasonsIn(found: Inventory | undefined, { unknown }: PullRequests): string[] {
  if (found === undefined || !isAtRisk(found)) return []
  // A pull request holds commits only, so it says nothing about files.
  const unsure =
    unknown === undefined || found.unpushed.count === 0
      ? []
      : [`whether its pull request was merged cannot be told: ${unknown}`]
  return [...describeInventory(found), ...unsure]
}

/**
 * Removes worktree, opencode session, session file and index entry of an issue. Throws KugetsuError
 * `unknown_session` when another command has destroyed it, `pull_request_open`, or `work_at_risk` when something would be lost; with `force` the agent is stopped and the work saved under a recovery
 * ref first. `openIsFine`: an open pull request is no reason, and a merged branch goes too.
 */
export async function destroyIssue(
  home: Home,
  name: string,
  options: { force: boolean; remotes?: Remotes; openIsFine?: true },
): Promise<Destroyed> {
  const before = readSession(home, name)
  if (options.force && before?.run) await stopIfAtWork(home, name)
  // Asked before the lock is taken, because a forge and a remote may be slow.
  const pullRequests = options.force || !before ? noPullRequests : await pullRequestsToCheck(home, before)
  const known = { pullRequests, remotes: options.remotes ?? createRemotes() }
  const early = before && workOf(home, before, known)
  await early?.askAhead()
  return exclusively(home.paths.lock(`issue-${name}`), { timeoutMs: issueWaitMs, signal: home.signal }, async () => {
    const record = readSession(home, name)
    if (record === undefined) {
      throw new KugetsuError(`${before?.issue_ref ?? name} is gone: another command has destroyed it`, {
        hint: 'Nothing is left to do.',
        code: 'unknown_session',
      })
    }
    const issueRef = record.issue_ref ?? name
    const work = early?.path === record.worktree_path ? early : workOf(home, record, known)
    if (work !== undefined && !record.run) await mend(home, work)
    if (options.force) await stopWorkByHand(home, record).catch((error: unknown) => home.warn(messageOf(error)))
    const busy = options.force ? [] : await atWork(home, record)
    const found = await work?.inventory()
    const open = options.openIsFine === true ? [] : openOnes(pullRequests)
    const reasons = options.force ? [] : [...busy, ...open, ...reasonsIn(found, pullRequests)]
    if (reasons.length > 0) {
      note(home, 'not_destroyed', { issue_ref: issueRef, reason: reasons.join('; ') })
      const onlyOpen = reasons.length === open.length
      const hint =
        busy.length > 0
          ? `Stop it first: kugetsu stop ${issueRef}, or use --force: it saves the work first.`
          : hintFor(found)
      throw new KugetsuError(`${issueRef} is not destroyed: ${reasons.join('; ')}`, {
        hint: onlyOpen ? 'Merge or close it first, or use --force.' : hint,
        code: onlyOpen ? 'pull_request_open' : 'work_at_risk',
      })
    }
    const ended = await quietWorktree(home, { issueRef: record.issue_ref, worktree: record.worktree_path })
    const last = ended.length === 0 ? found : await work?.inventory()
    const outputs = await outputsOf(home, record)
    const isAllElsewhere = options.openIsFine === true && last !== undefined && !isAtRisk(last)
    const recovery = work && last && (await removeIssueWorktree(home, name, work, last, isAllElsewhere))
    await deleteOpencodeSession(home, record, outputs)
    await forgetSession(home, name)
    await forgetConversation(home, name)
    await closeWorktree(home, record.worktree_path)
    note(home, 'destroyed', {
      issue_ref: issueRef,
      reason: recovery === undefined ? 'nothing was lost' : `saved as ${recovery.ref}`,
    })
    return { issueRef, recovery }
  })
}

/** Repairs a worktree in which git does not work, so that an inventory is possible; a failure shows in the inventory. */
async function mend(home: Home, work: IssueWork): Promise<void> {
  await mendIfBroken(home, work).catch((error: unknown) => {
    if (codeOf(error) !== 'worktree_broken') throw error
    home.warn(messageOf(error))
  })
}

function hintFor(found: Inventory | undefined): string {
  if (found?.place.kind === 'unknown') return moveItAway
  return found !== undefined && found.unsavable.length + found.unknown.length > 0
    ? 'Push, move or delete that first. --force cannot save it and refuses too.'
    : 'Push what you want to keep, or use --force: it saves the work under a recovery ref first.'
}

/** Another command may have stopped it at the same moment. */
export async function stopIfAtWork(home: Home, name: string): Promise<void> {
  await stopAgent(home, name).catch((error: unknown) => {
    if (codeOf(error) !== 'not_running') throw error
  })
}

/** What only the worktree of an issue has, whether or not destroy would save it by itself. Never throws but when interrupted. */
export async function onlyInWorktree(
  home: Home,
  record: SessionRecord,
  remotes: Remotes,
): Promise<{ reasons: string[]; unpushed: number }> {
  try {
    const pullRequests = await pullRequestsToCheck(home, record)
    const found = await workOf(home, record, { pullRequests, remotes })?.inventory()
    const reasons = found === undefined ? [] : [...reasonsIn(found, pullRequests), ...describeSavedByItself(found)]
    return { reasons, unpushed: found?.unpushed.count ?? 0 }
  } catch (error) {
    home.signal.throwIfAborted()
    return { reasons: [`cannot tell what would be lost: ${messageOf(error)}`], unpushed: 0 }
  }
}

/** Saves and removes the worktree of an issue without an agent at work, and removes its opencode session. */
export async function removeWork(home: Home, record: SessionRecord, name: string): Promise<Recovery | undefined> {
  await quietWorktree(home, { issueRef: record.issue_ref, worktree: record.worktree_path })
  const work = workOf(home, record)
  const outputs = await outputsOf(home, record)
  const recovery = work && (await removeIssueWorktree(home, name, work, await work.inventory()))
  await deleteOpencodeSession(home, record, outputs)
  return recovery
}

async function removeIssueWorktree(
  home: Home,
  name: string,
  work: IssueWork,
  found: Inventory,
  withBranch = false,
): Promise<Recovery | undefined> {
  // Saved even if all of it is on the remote: small ignored files, and commits only in git's records, cost nothing to keep.
  const saved = await saveWork({ ...work, name, issue: formatRef(work.ref), now: home.now() }, found)
  for (const line of describeLost(found)) home.warn(`not saved, and removed with the worktree: ${line}`)
  const { leftBehind } = await removeWorktree({ ...work, deleteBranch: withBranch || saved !== undefined })
  if (leftBehind !== undefined) home.warn(`some files could not be deleted; they are in ${leftBehind}`)
  return saved === undefined ? undefined : { ref: saved.ref, mirror: work.mirror.path }
}

/** Forgets the conversation: a later start on the issue begins afresh, and another issue may get its name. */
async function forgetConversation(home: Home, name: string): Promise<void> {
  try {
    await forgetRemembered(home, name)
  } catch (error) {
    home.warn(`what was asked and answered stays in ${home.paths.remembered(name)}: ${messageOf(error)}`)
  }
}

/** The session's pull requests, if they are to be checked (WORKTREE_CHECK_PR_STATUS). */
async function pullRequestsToCheck(home: Home, record: SessionRecord): Promise<PullRequests> {
  return home.settings(record.issue_ref).checkPrStatus ? pullRequestsOf(home, record) : noPullRequests
}

function openOnes({ found }: PullRequests): string[] {
  return found.filter(({ state }) => state === 'open').map(({ url }) => `its pull request ${url} is open`)
}

async function atWork(home: Home, record: SessionRecord): Promise<string[]> {
  if (record.run || record.state === 'starting') return ['an agent is at work on it']
  try {
    return (await isAtWorkByHand(home, record))
      ? ["its agent is at work on a message from opencode's own interface"]
      : []
  } catch (error) {
    home.signal.throwIfAborted()
    return [`whether its agent is at work cannot be told: ${messageOf(error)}`]
  }
}
