/** The branch of an issue: an agent may have given it another name, or have gone to another one. */
import { branchOf, type IssueRef } from '../../core/issue-ref.ts'
import { branchAt } from '../../git/worktree-entries.ts'
import type { SessionRecord } from './session-file.ts'

/** The branch on which the worktree of a session is; the one on file where it is on none, or not there. */
export function branchNow(record: Pick<SessionRecord, 'worktree_path' | 'branch_name'>): string | undefined {
  return (record.worktree_path ? branchAt(record.worktree_path) : undefined) ?? record.branch_name ?? undefined
}

/** Those on which its pull request may be: the one on which the worktree is first, then the one on file. */
export function branchesOf(record: SessionRecord, ref: IssueRef): string[] {
  return [...new Set([branchNow(record) ?? branchOf(ref), record.branch_name ?? branchOf(ref)])]
}
