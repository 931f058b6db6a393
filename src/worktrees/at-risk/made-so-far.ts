/** The work of an agent in a worktree, as far as can be told without asking the remote. */
import * as fs from 'node:fs'
import { counted } from '../../core/wording.ts'
import { type GitOptions, runGit } from '../../git/git.ts'
import { commitsAhead } from './commits-ahead.ts'
import { parseStatus } from './status.ts'

/** Each undefined when git cannot tell. */
export interface MadeSoFar {
  /** Commits of the branch beyond its base. */
  commits: number | undefined
  /** Commits of HEAD that no branch of the remote had at the last fetch or push. */
  unpushed: number | undefined
  /** Changed or new files in no commit; a new directory counts once. */
  uncommitted: number | undefined
}

/** Looks at a worktree; reads only. Throws only when the signal is aborted. */
export async function madeSoFar(
  options: GitOptions & { path: string; branch: string | undefined; base: string | undefined },
): Promise<MadeSoFar> {
  const { path, branch, base } = options
  if (!fs.existsSync(path)) return { commits: undefined, unpushed: undefined, uncommitted: undefined }
  const tell = async (args: string[]): Promise<string | undefined> => {
    try {
      return await runGit(args, { ...options, cwd: path })
    } catch {
      options.signal?.throwIfAborted()
      return undefined
    }
  }
  const [commits, unpushed, status] = await Promise.all([
    branch !== undefined && base !== undefined ? commitsAhead({ ...options, branch, base }) : undefined,
    tell(['rev-list', '--count', 'HEAD', '--not', '--remotes=origin', '--']),
    tell(['status', '--porcelain=v2', '-z', '--untracked-files=normal']),
  ])
  const files = status === undefined ? undefined : parseStatus(status)
  return {
    commits,
    unpushed: unpushed === undefined ? undefined : Number(unpushed),
    uncommitted: files && files.uncommitted.length + files.untracked.length,
  }
}

/** Whether there is certainly nothing: what git cannot tell may be something. */
export function isNothing({ commits, unpushed, uncommitted }: MadeSoFar): boolean {
  return commits === 0 && unpushed === 0 && uncommitted === 0
}

/** As the end of a sentence about the agent: `2 commits, not pushed, 1 file not committed`. */
export function describeMade(made: MadeSoFar): string {
  if (isNothing(made)) return 'nothing changed'
  const { commits, unpushed, uncommitted } = made
  const parts = [
    commits === undefined ? 'commits unknown' : commits === 0 ? 'no commits' : counted(commits, 'commit'),
    commits === 0 && unpushed === 0 ? undefined : howPushed(made),
    uncommitted ? `${counted(uncommitted, 'file')} not committed` : undefined,
  ]
  return parts.filter((each) => each !== undefined).join(', ')
}

function howPushed({ commits, unpushed }: MadeSoFar): string | undefined {
  if (unpushed === undefined) return undefined
  if (unpushed === 0) return 'pushed'
  return unpushed === commits ? 'not pushed' : `${unpushed} not pushed`
}
