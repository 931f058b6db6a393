/** Removing the base session and the PM agent's, which have no worktree. */
import { note } from '../../activity/journal.ts'
import type { Home } from '../../config/home.ts'
import { KugetsuError } from '../../core/errors.ts'
import { createRemotes } from '../../worktrees/at-risk/remotes.ts'
import {
  baseName,
  changeIndex,
  forgetSession,
  pmAgentSession,
  readIndex,
  readSession,
  readSessions,
  requirePmAtRest,
  sessionsOfIssues,
} from '../file/store.ts'
import { destroyIssue, stopIfAtWork, whyIssueStays, type Destroyed } from './destroy.ts'
import { deleteOpencodeSession, outputsOf } from './opencode-session.ts'

/**
 * Removes the PM agent's session. Throws KugetsuError `pm_agent_missing` when there is none, `running` while it is at work;
 * with `force` it is stopped first.
 */
export async function destroyPmAgent(home: Home, options: { force: boolean }): Promise<void> {
  const record = readSession(home, pmAgentSession)
  if (record === undefined && !readIndex(home)?.pm_agent) {
    throw new KugetsuError('there is no PM agent', {
      hint: 'Make one: kugetsu doctor --fix',
      code: 'pm_agent_missing',
    })
  }
  if (options.force && record?.run) await stopIfAtWork(home, pmAgentSession)
  requirePmAtRest(home)
  if (record !== undefined) await deleteOpencodeSession(home, record, await outputsOf(home, record))
  await forgetSession(home, pmAgentSession)
  await changeIndex(home, (index) => ({ ...index, pm_agent: null }))
}

/** Removes the base session, the PM agent's and all issue sessions: issues first, protected as in destroyIssue(). */
export async function destroyBase(home: Home, options: { force: boolean }): Promise<Destroyed[]> {
  const issues = sessionsOfIssues(readSessions(home))
  const remotes = createRemotes()
  if (!options.force) {
    requirePmAtRest(home)
    const kept = await Promise.all(
      issues.map(async ({ record }) => ({ record, reasons: (await whyIssueStays(home, record, { remotes })).reasons })),
    )
    const first = kept.find(({ reasons }) => reasons.length > 0)
    if (first !== undefined) {
      note(home, 'not_destroyed', { issue_ref: first.record.issue_ref, reason: first.reasons.join('; ') })
      throw new KugetsuError(`nothing is destroyed: ${first.record.issue_ref}: ${first.reasons.join('; ')}`, {
        hint: 'Deal with that issue first, or use --force: it saves the work under recovery refs first.',
        code: 'work_at_risk',
      })
    }
  }
  const destroyed: Destroyed[] = []
  for (const { name } of issues) destroyed.push(await destroyIssue(home, name, { ...options, remotes }))
  await destroyOwnSessions(home, options)
  return destroyed
}

/** Removes the PM agent's session and the base session. Throws as destroyPmAgent(). */
export async function destroyOwnSessions(home: Home, options: { force: boolean }): Promise<void> {
  if (readSession(home, pmAgentSession) !== undefined) await destroyPmAgent(home, options)
  const base = readSession(home, baseName)
  if (base !== undefined) await deleteOpencodeSession(home, base, [])
  await forgetSession(home, baseName)
  await changeIndex(home, (index) => ({ ...index, base: null }))
}
