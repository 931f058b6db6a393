/** A repository on disk, or a worktree of one, with all that git needs to be run there. */
import { KugetsuError } from '../core/errors.ts'
import { exclusively } from '../platform/locks.ts'
import { askGit, type GitCall, gitDirectories, type GitOptions, runGit, runGitForBytes } from './git.ts'
import { despiteLocks } from './stale-locks.ts'

/**
 * How long to wait for the lock of a repository. Its holder is alive (the kernel frees the lock otherwise) and ends a silent
 * git by itself. The first clone of a large repository takes its time.
 */
const lockWaitMs = 3_600_000

/** The bare repository at `path`. `lockFile` is the lock of those who write to it, as for exclusively(). */
export function repositoryAt(path: string, options: GitOptions & { lockFile: string }): GitRepository {
  const { lockFile, ...call } = options
  return new GitRepository({ ...call, cwd: path }, lockFile).at(path)
}

/** It never changes: with(), at(), worktree() and from() return another one. */
export class GitRepository {
  /** What each git gets, as for runGit(). */
  readonly call: GitCall
  readonly lockFile: string

  constructor(call: GitCall, lockFile: string) {
    this.call = call
    this.lockFile = lockFile
  }

  /** The directory that git runs in: the repository itself, or the worktree. */
  get path(): string {
    return this.call.cwd
  }

  get signal(): AbortSignal | undefined {
    return this.call.signal
  }

  /** Runs git, as runGit(). */
  git(args: readonly string[]): Promise<string> {
    return runGit(args, this.call)
  }

  /** Runs git for one line. */
  async line(args: readonly string[]): Promise<string> {
    return (await this.git(args)).trim()
  }

  /** Asks git a question, as askGit(): undefined when git answers no. */
  ask(args: readonly string[]): Promise<string | undefined> {
    return askGit(args, this.call)
  }

  /** Runs git for names, as runGitForBytes(): one character for each byte. */
  bytes(args: readonly string[]): Promise<string> {
    return runGitForBytes(args, this.call)
  }

  /** Runs `work` while no other kugetsu writes to the repository. Must not be nested. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return exclusively(this.lockFile, { timeoutMs: lockWaitMs, signal: this.signal }, work)
  }

  /** Runs `work` again when git finds something locked, as despiteLocks(). */
  despiteLocks<T>(work: () => Promise<T>): Promise<T> {
    const { GIT_COMMON_DIR: common, GIT_DIR: own } = this.call.variables ?? {}
    return despiteLocks(common ?? own ?? this.path, this.signal, work)
  }

  /** The same repository, with something else for each call. Variables are added to those it has. */
  with(change: Partial<GitCall>): GitRepository {
    const variables = { ...this.call.variables, ...change.variables }
    return new GitRepository({ ...this.call, ...change, variables }, this.lockFile)
  }

  /** Another bare repository. */
  at(path: string): GitRepository {
    // GIT_DIR is set, not found from the directory: the user may have set safe.bareRepository=explicit.
    return this.from(path, { GIT_DIR: path })
  }

  /**
   * A worktree at `path` with a known git directory. Git is told where it is, so a broken `.git` file never leads to a
   * repository further up.
   */
  worktree(path: string, gitDirectory: string): GitRepository {
    return this.from(path, { ...gitDirectories(gitDirectory), GIT_WORK_TREE: path })
  }

  /** An error in the words of `failure`: what could not be done, and why. */
  failed(why: string, more: { hint?: string; cause?: unknown }): KugetsuError {
    const { message, code } = this.call.failure ?? { message: 'git failed', code: 'git_failed' }
    return new KugetsuError(`${message}: ${why}`, { ...more, code })
  }

  /** Git in the directory `cwd`, with no other variables than these. */
  from(cwd: string, variables: Record<string, string>): GitRepository {
    return new GitRepository({ ...this.call, cwd, variables }, this.lockFile)
  }
}
