import { branchNow } from '../sessions/file/branches.ts'
import type { SessionRecord } from '../sessions/file/session-file.ts'
import { madeSoFar, type MadeSoFar } from '../worktrees/at-risk/made-so-far.ts'
import type { Context } from './terminal/context.ts'

const gitTimeoutMs = 30_000

/** What the worktree of a session has, without asking the remote. */
export async function madeIn(context: Context, record: SessionRecord): Promise<MadeSoFar> {
  const { worktree_path: path, base_branch: base } = record
  const git = { env: context.env, timeoutMs: gitTimeoutMs, signal: context.signal }
  return madeSoFar({ ...git, path: path ?? '', branch: branchNow(record), base: base ?? undefined })
}
