import { listDirectory } from '../../platform/files.ts'

const operations = {
  MERGE_HEAD: 'a merge',
  'rebase-merge': 'a rebase',
  'rebase-apply': 'a rebase',
  CHERRY_PICK_HEAD: 'a cherry-pick',
  REVERT_HEAD: 'a revert',
  BISECT_LOG: 'a bisect',
}

/** What was begun in a worktree and not finished, by its git directory. */
export function operationIn(gitDirectory: string): string | undefined {
  const files = new Set(listDirectory(gitDirectory))
  return Object.entries(operations).find(([file]) => files.has(file))?.[1]
}
