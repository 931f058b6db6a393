/** A throwaway remote repository and a kugetsu-like home beside it, all with real git and no network. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type GitRepository, repositoryAt } from '../../src/git/repository.ts'

export interface Ground {
  root: string
  /** The bare remote, and its file:// URL. */
  remote: string
  url: string
  /** Where its mirror goes, and that mirror's lock. */
  mirror: string
  lockFile: string
  /** The handle of that mirror. */
  repository: GitRepository
  env: NodeJS.ProcessEnv
  /** The path of a worktree by name. */
  worktree: (name: string) => string
  /** Runs git as a user would, in `cwd`; what it printed, trimmed. Throws when it fails. */
  git: (cwd: string, ...args: string[]) => string
  /** Commits files (undefined deletes) to a branch of the remote, made at main if it is new; the commit. */
  push: (branch: string, files: Record<string, string | undefined>) => string
  cleanup: () => void
}

/** Makes the ground, its remote with one commit on main holding `files`, or none at all without files. */
export function createGround(files?: Record<string, string>): Ground {
  const root = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'kg-ground-'))
  const at = (...parts: string[]) => path.join(root, ...parts)
  fs.writeFileSync(
    at('gitconfig'),
    '[user]\n\tname = Test User\n\temail = test@example.com\n[init]\n\tdefaultBranch = main\n',
  )
  const env = {
    PATH: process.env['PATH'],
    HOME: root,
    GIT_CONFIG_GLOBAL: at('gitconfig'),
    GIT_CONFIG_NOSYSTEM: '1',
  }
  const git = (cwd: string, ...args: string[]) =>
    execFileSync('git', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 }).trim()
  const remote = at('remote.git')
  git(root, 'init', '--quiet', '--bare', remote)
  const author = at('author')
  git(root, 'clone', '--quiet', remote, author)

  const push: Ground['push'] = (branch, contents) => {
    git(author, 'fetch', '--quiet', 'origin')
    const exists = git(author, 'ls-remote', '--heads', 'origin', branch) !== ''
    const main = git(author, 'ls-remote', '--heads', 'origin', 'main') !== ''
    if (exists || main) git(author, 'checkout', '--quiet', '-B', branch, exists ? `origin/${branch}` : 'origin/main')
    else git(author, 'checkout', '--quiet', '--orphan', branch)
    for (const [name, text] of Object.entries(contents)) {
      const file = path.join(author, name)
      fs.mkdirSync(path.dirname(file), { recursive: true })
      if (text === undefined) fs.rmSync(file)
      else fs.writeFileSync(file, text)
    }
    git(author, 'add', '--all')
    git(author, 'commit', '--quiet', '--message', `Change ${Object.keys(contents).join(', ')}`)
    git(author, 'push', '--quiet', 'origin', branch)
    return git(author, 'rev-parse', 'HEAD')
  }
  if (files !== undefined) push('main', files)

  const mirror = at('home', 'repos', 'forge.test', 'owner', 'repo.git')
  const lockFile = at('home', 'locks', 'repo.lock')
  return {
    root,
    remote,
    url: pathToFileURL(remote).href,
    mirror,
    lockFile,
    repository: repositoryAt(mirror, { lockFile, env, timeoutMs: 30_000 }),
    env,
    worktree: (name) => at('home', 'worktrees', name),
    git,
    push,
    cleanup: () => fs.rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  }
}
