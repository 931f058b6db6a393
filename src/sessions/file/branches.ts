/** The branch of an issue. An agent may have renamed the branch, or switched to another one. */
import { branchOf, type IssueRef } from '../../core/issue-ref.ts'
import { branchAt } from '../../git/head.ts'
import type { SessionRecord } from './session-file.ts'

/** The branch checked out in a session's worktree; the one on file if none is, or the worktree is missing. */
export function branchNow(record: Pick<SessionRecord, 'worktree_path' | 'branch_name'>): string | undefined {
  return (record.worktree_path ? branchAt(record.worktree_path) : undefined) ?? record.branch_name ?? undefined
}

/** The branches that its pull request may come from: the worktree's current branch first, then the one on file. */
export function branchesOf(record: SessionRecord, ref: IssueRef): string[] {
  return [...new Set([branchNow(record) ?? branchOf(ref), record.branch_name ?? branchOf(ref)])]
}
