/** The beginning of a run: a slot, a worktree and a session, then the prompt. */
import { permissionRules } from '../../agents/permissions.ts'
import type { Home } from '../../config/home.ts'
import { awaitedLater } from '../../core/awaited-later.ts'
import { messageOf } from '../../core/errors.ts'
import { formatRef } from '../../core/issue-ref.ts'
import { note } from '../../activity/journal.ts'
import { removeWork } from '../cleanup/destroy.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { changeSession, forgetSession } from '../file/store.ts'
import { excuseRuns, toldByDeath } from '../runs/agent-server.ts'
import { assemble } from './assemble.ts'
import { beginRun } from './begin-run.ts'
import { readIssueText } from './read-issue.ts'
import { admitStart } from './remote-wait.ts'
import type { Beginning, Started } from './request.ts'
import { createUndo } from './undo.ts'

/**
 * Begins a run on an issue without an agent at work. The caller holds the issue's lock. If it fails, everything that it made
 * is undone. Throws as startAgent.
 */
export async function begin(home: Home, request: Beginning): Promise<Started> {
  const issueRef = formatRef(request.ref)
  const limit = request.now === true ? undefined : home.settings(issueRef).maxConcurrentAgents
  const onWait = request.onRemoteWait
  const remote = await admitStart(home, { issueRef, session: request.name, limit, onWait })
  request = { ...request, remote }
  const undo = createUndo(home.warn)
  undo.add('the slot', remote.release)
  try {
    const recovery =
      request.fresh === true && request.existing ? await removeWork(home, request.existing, request.name) : undefined
    if (request.fresh === true) request = { ...request, existing: anew(request.existing) }
    undo.add('the session file', () => restore(home, request))
    await changeSession(home, request.name, (current) => ({
      ...(current ?? { type: 'forked', issue_ref: issueRef, created_at: home.now().toISOString() }),
      ...request.existing,
      state: 'starting',
    }))
    // Without a message the task is what the issue says. An agent that knows the issue reads what is new itself.
    const isNew = !request.existing?.opencode_session_id
    const issue = awaitedLater(isNew && request.message.trim() === '' ? readIssueText(home, request.ref) : nothing)
    const made = await assemble(home, request, undo)
    request = { ...request, issue: await issue }
    const { path: directory } = made.worktree
    const target = { directory, rules: permissionRules(), title: issueRef, isNew: made.session.forked }
    await made.server.client.place(made.session.id, target)
    const record = await beginRun(home, request, { ...made, slot: await remote.slot(), issueRef })
    return { how: made.session.forked ? 'started' : 'continued', name: request.name, record, recovery }
  } catch (error) {
    await excuseRuns(home, error, request.used)
    await undo.run()
    const reason = toldByDeath(error, request.used)
    note(home, 'undone', { issue_ref: issueRef, reason: messageOf(reason) })
    throw reason
  }
}

const nothing = Promise.resolve(undefined)

/** What is kept of a session that begins anew. */
function anew(existing: SessionRecord | undefined): SessionRecord | undefined {
  return existing === undefined
    ? undefined
    : { ...existing, opencode_session_id: null, worktree_path: null, base_branch: null }
}

async function restore(home: Home, request: Beginning): Promise<void> {
  const before = request.existing
  if (before === undefined) await forgetSession(home, request.name)
  else await changeSession(home, request.name, () => ({ ...before, run: null }))
}
