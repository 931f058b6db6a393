/** Remotes of repositories inside a worktree, and what they have now. Each is asked once per command, a few at a time. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { maskCredentials } from '../../core/masking.ts'
import { plainLine } from '../../core/plain-text.ts'
import { createGate } from '../../platform/gate.ts'
import { writeAtomic } from '../../platform/files.ts'
import { copyRegular } from '../../platform/regular-file.ts'
import type { GitRepository } from '../../git/repository.ts'
import { gitFailure } from '../../git/failure.ts'
import { withPlainRepository } from '../../git/throwaway-repository.ts'
import { lend } from '../mirror/saved-repository.ts'

/** How many are asked at a time. */
const atATime = 4

export interface Remotes {
  /** The answer of the remote at `address` to a question. Calls `work` if the question was not asked before. */
  ask: (address: string, question: string, work: () => Promise<string[]>) => Promise<string[]>
}

/** For one command: an answer stays valid until the command ends. */
export function createRemotes(): Remotes {
  const answers = new Map<string, Promise<string[]>>()
  const silent = new Map<string, unknown>()
  const gate = createGate(atATime)
  const now = (address: string, work: () => Promise<string[]>) =>
    gate(async () => {
      const host = hostOf(address)
      // A host that said nothing for two minutes is not asked again.
      if (silent.has(host)) throw silent.get(host)
      return await work().catch((error: unknown) => {
        if (gitFailure(error)?.reason === 'timed_out') silent.set(host, error)
        throw error
      })
    })
  return {
    ask: (address, question, work) => {
      const key = `${address}\n${question}`
      const answer = answers.get(key) ?? now(address, work)
      answers.set(key, answer)
      return answer
    },
  }
}

export interface AskOptions {
  /** The worktree. */
  root: string
  remotes: Remotes
  /** A throwaway repository can be made beside it. */
  mirror: GitRepository
}

/**
 * The commits at which the branches and tags of a remote are now; for another directory, those of all its refs. Throws
 * KugetsuError when the remote does not answer.
 */
export async function listedAt(options: AskOptions, address: string): Promise<string[]> {
  return await options.remotes.ask(address, 'refs', async () => {
    const which = isPlace(address) ? [] : ['--heads', '--tags']
    const args = ['ls-remote', '--quiet', ...which, '--upload-pack=git-upload-pack', '--', address]
    // With the user's settings only, not those of a repository.
    const cwd = path.dirname(options.root)
    const outside = asking(options, address).from(cwd, { GIT_CEILING_DIRECTORIES: path.dirname(cwd) })
    const text = await outside.with({ asksRemote: true }).git(args)
    const ids = new Map<string, string>()
    // For an annotated tag, the commit comes after the tag object.
    for (const [, id = '', name = ''] of text.matchAll(/^([0-9a-f]{40,64})\t(.+?)(?:\^\{\})?$/gm)) ids.set(name, id)
    return [...new Set(ids.values())]
  })
}

/**
 * The last of the commits at or behind `tips`, in the repository at `gitDirectory`, that are behind a branch or tag of the
 * remote, even if the remote has moved on. What the remote has now is fetched, without files if the remote supports that.
 * Throws KugetsuError when that fails.
 */
export async function heldAt(
  options: AskOptions,
  address: string,
  { gitDirectory, tips }: { gitDirectory: string; tips: readonly string[] },
): Promise<string[]> {
  const shallow = path.join(gitDirectory, 'shallow')
  const isShallow = fs.existsSync(shallow)
  const question = [...[...tips].sort(), ...(isShallow ? [gitDirectory] : [])].join(' ')
  return await options.remotes.ask(address, question, async () => {
    const sha256 = tips.some((tip) => tip.length === 64)
    return await withPlainRepository(asking(options, address), { sha256 }, async (plain) => {
      lend(plain, [gitDirectory])
      if (isShallow) copyRegular(shallow, path.join(plain.path, 'shallow'))
      // So that git tells the remote that it has these commits.
      writeAtomic(path.join(plain.path, 'packed-refs'), tips.map((tip, at) => `${tip} refs/tips/${at}\n`).join(''))
      const since = isShallow ? [`--shallow-since=${(await oldest(plain, tips)) - 1}`] : []
      const kinds = isPlace(address) ? ['heads', 'tags', 'remotes'] : ['heads', 'tags']
      const refs = kinds.map((kind) => `+refs/${kind}/*:refs/held/${kind}/*`)
      const how = ['--progress', '--no-tags', '--no-write-fetch-head', '--filter=tree:0', ...since]
      const args = ['fetch', ...how, '--upload-pack=git-upload-pack', '--', address, ...refs]
      await plain.with({ asksRemote: true }).git(args)
      // A commit where the two histories meet is printed with a "-" before it.
      const walk = ['rev-list', '--boundary', ...tips, '--not', '--glob=refs/held/*', '--']
      const seen = (await plain.git(walk)).split('\n').filter(Boolean)
      const left = new Set(seen.filter((line) => !line.startsWith('-')))
      const met = seen.filter((line) => line.startsWith('-')).map((line) => line.slice(1))
      return [...new Set([...tips.filter((tip) => !left.has(tip)), ...met])]
    })
  })
}

/** When the oldest of them was made, in seconds. */
async function oldest(repository: GitRepository, tips: readonly string[]): Promise<number> {
  const times = await repository.git(['log', '--no-walk=unsorted', '--format=%ct', ...tips, '--'])
  return Math.min(...times.trim().split('\n').map(Number))
}

/** The URL of a remote, or its absolute path if it is a path. A relative path starts at the repository in `from`. */
export function addressOf(url: string, from: string): string {
  if (url.startsWith('file://')) return path.resolve(from, decoded(url.slice('file://'.length)))
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(url) || /^[^/]+:/.test(url) ? url : path.resolve(from, url)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function isPlace(address: string): boolean {
  return path.isAbsolute(address)
}

function hostOf(address: string): string {
  return isPlace(address)
    ? address
    : (/^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/@]*@)?([^/:]+)/i.exec(address)?.[1] ?? address)
}

/** A failure names the address, and the advice for the mirror's own remote does not fit. */
function asking({ mirror }: AskOptions, address: string): GitRepository {
  const failure = { message: plainLine(maskCredentials(address), 200), code: 'git_failed' }
  return mirror.with({ failure, loginHint: undefined })
}
