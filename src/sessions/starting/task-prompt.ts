import { buildDevMessage, followUpMessage } from '../../agents/dev-agent.ts'
import type { IssueText } from '../../agents/issue-section.ts'
import type { Home } from '../../config/home.ts'
import { formatRef, type IssueRef } from '../../core/issue-ref.ts'
import { forgeOf } from '../../forges/forge-kinds.ts'
import type { ReadyWorktree } from './ensure-worktree.ts'
import type { SessionRecord } from '../file/session-file.ts'
import { recall } from '../runs/conversation.ts'

export interface Task {
  ref: IssueRef
  name: string
  message: string
  prUrl?: string | undefined
  fresh?: boolean | undefined
  /** What the issue says, where it was read. */
  issue?: IssueText | undefined
  /** What the session file said before. */
  existing: SessionRecord | undefined
}

/**
 * The prompt that begins a run. An agent new to the issue gets everything about its task, and the earlier questions and
 * answers unless it is to begin anew. An agent that knows the issue gets the delegator's words.
 */
export function taskPrompt(
  home: Home,
  task: Task,
  worktree: Omit<ReadyWorktree, 'mirror'>,
  session: { forked: boolean },
): string {
  const { forge, apiUrl, tokens } = forgeOf(home, task.ref)
  const about = {
    ref: task.ref,
    forge,
    // The server's real address, which may differ from its name in refs.
    apiUrl,
    tokens,
    branch: worktree.branch,
    baseBranch: worktree.baseBranch ?? 'the default branch',
    workExists: worktree.workExists,
    prUrl: (task.prUrl ?? task.existing?.pr_url) || undefined,
    message: task.message,
    issue: task.issue,
  }
  // If the first start was killed before its prompt went out, the session has not been told what it is about.
  const isNew = session.forked || task.existing?.briefed === false
  if (!isNew) return followUpMessage(about)
  const remembered = task.fresh === true ? undefined : recall(home, task.name, formatRef(task.ref))
  return buildDevMessage({ ...about, remembered })
}
