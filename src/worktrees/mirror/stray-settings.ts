/**
 * Settings of one worktree in the configuration that all worktrees of a mirror share: `git config` in a worktree writes
 * there. Apart from kugetsu, only agents set anything in a mirror.
 */
import * as path from 'node:path'
import { isWithin } from '../../platform/within.ts'
import { listEntries } from '../../git/worktree-entries.ts'
import type { GitRepository } from '../../git/repository.ts'
import { isDirectory } from './mend.ts'
import { readMirrorConfig } from '../../git/mirror-config.ts'
import { settingOf } from '../../git/foreign-programs.ts'

const extension = 'extensions.worktreeconfig'

/** A setting by name, section and last part in lower case, and its value: `user.email=bot@example.com`. */
type Stray = `${string}=${string}`

/**
 * The settings to remove: the author's identity, hooks in the directory of one worktree, `core.worktree`, and a `core.bare`
 * beside `extensions.worktreeConfig`, which would apply to worktrees too. Asks git only when the file is not as git usually
 * writes it.
 */
export async function straySettings(mirror: GitRepository, read = readMirrorConfig(mirror.path)): Promise<Stray[]> {
  const config = [...(read ?? (await settingsByGit(mirror)))]
  const value = (wanted: string) => config.findLast(([name]) => name === wanted)?.[1]
  const isStray = (name: string, set: string) => {
    if (/^(user|author|committer)\./.test(name) || name === 'core.worktree') return true
    if (name === 'core.hookspath') return isOfOne(mirror.path, set)
    return name === 'core.bare' && isTrue(set) && isTrue(value(extension))
  }
  return config.flatMap(([name, set]): Stray[] => (isStray(name, set) ? [`${name}=${set}`] : []))
}

/**
 * Removes the settings. `core.bare` moves to the mirror's own settings, as git does it. The caller holds the mirror's lock.
 */
export async function removeStraySettings(mirror: GitRepository, stray: readonly Stray[]): Promise<void> {
  for (const name of new Set(stray.map((each) => each.slice(0, each.indexOf('='))))) {
    if (name === 'core.bare') {
      await mirror.git(['config', '--file', path.join(mirror.path, 'config.worktree'), 'core.bare', 'true'])
    }
    await mirror.git(['config', '--file', path.join(mirror.path, 'config'), '--unset-all', name])
  }
}

async function settingsByGit(mirror: GitRepository): Promise<[string, string][]> {
  const args = ['config', '--file', path.join(mirror.path, 'config'), '--list', '-z']
  const listing = (await mirror.with({ cwd: path.dirname(mirror.path) }).ask(args)) ?? ''
  const settings = listing.split('\0').slice(0, -1).map(settingOf)
  return settings.map(({ name, value = 'true' }) => [name, value])
}

/** A relative path, such as `.husky/_`, is found in each worktree. A directory outside the worktrees serves all of them. */
function isOfOne(mirror: string, hooks: string): boolean {
  if (!path.isAbsolute(hooks)) return false
  return (
    !isDirectory(hooks) || listEntries(mirror).some((entry) => entry.path !== undefined && isWithin(entry.path, hooks))
  )
}

/** As git reads it (git-config(1), "boolean"); a setting without a value is true. */
function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(true|yes|on|[1-9]\d*)$/i.test(value)
}
