import { buildDevMessage, followUpMessage } from '../../agents/dev-agent.ts'
import type { Home } from '../../config/home.ts'
import { formatRef, type IssueRef } from '../../core/issue-ref.ts'
import { forgeOf } from '../../forges/forge-kinds.ts'
import type { IssueWorktree } from './issue-worktree.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { recall } from '../runs/conversation.ts'

export interface Task {
  ref: IssueRef
  name: string
  message: string
  prUrl?: string | undefined
  fresh?: boolean | undefined
  /** What the session file said before. */
  existing: SessionRecord | undefined
}

/**
 * What begins a run: to an agent that is new on the issue all about its task, and what was asked and answered before,
 * unless it is to begin anew; to one that knows it the delegator's words.
 */
export function taskPrompt(home: Home, task: Task, worktree: IssueWorktree, session: { forked: boolean }): string {
  const { forge, apiUrl, tokens } = forgeOf(home, task.ref)
  const about = {
    ref: task.ref,
    forge,
    // Where the server is, whatever it is called in refs.
    apiUrl,
    tokens,
    branch: worktree.branch,
    baseBranch: worktree.baseBranch ?? 'the default branch',
    workExists: worktree.workExists,
    prUrl: (task.prUrl ?? task.existing?.pr_url) || undefined,
    message: task.message,
  }
  // A session whose first start was killed before its prompt went out has not been told what it is about.
  const isNew = session.forked || task.existing?.briefed === false
  if (!isNew) return followUpMessage(about)
  const remembered = task.fresh === true ? undefined : recall(home, task.name, formatRef(task.ref))
  return buildDevMessage({ ...about, remembered })
}
