/** The commits of a repository inside a worktree that are on no remote, according to what its remotes answer now. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { messageOf } from '../../core/errors.ts'
import { counted, sample } from '../../core/wording.ts'
import { isWithin } from '../../platform/within.ts'
import { gitDirectories } from '../../git/git.ts'
import type { GitRepository } from '../../git/repository.ts'
import { isRepository } from '../../git/place.ts'
import { filesOf, idsIn } from './parked.ts'
import { addressOf, type AskOptions, heldAt, listedAt } from './remotes.ts'
import type { InnerRepository } from './repositories.ts'
import { readCharacters } from './walk.ts'

export interface LookOptions extends AskOptions {
  /** The git directory of the worktree, which goes with it. */
  gitDirectory: string
  /** The commits of the remote branches in the mirror, fetched just now. */
  pushed: readonly string[]
}

/** How many commits are named in one call. */
const namesACall = 20_000

/**
 * A line, without the repository's name, when commits would be lost with it. For a linked worktree, these are the commits
 * that its repository would then have no name for. Commits that only branches of a remote have are up to that remote, unless
 * it does not answer.
 */
export async function commitsLost(
  options: LookOptions,
  repository: GitRepository,
  inner: InnerRepository,
): Promise<string[]> {
  if (fs.existsSync(path.join(inner.gitDirectory, 'reftable')))
    return ['its refs are in a format that is not known here']
  const tips = tipsOf(inner)
  if (!inner.goes) return told([...(await leftOf(repository, tips, ['--remotes', '--branches'])).values()], [])
  const all = new Set([...tips, ...(await remoteTips(repository))])
  const safe = await presentOf(repository, options.pushed)
  if ((await leftOf(repository, all, safe)).size === 0) return []
  const { addresses, areAll } = await remotesOf(options, repository)
  const answers = await Promise.all(addresses.map((address) => listed(options, address)))
  const trouble = answers.flatMap((each) => each.trouble ?? [])
  const isUpToThem = areAll && addresses.length > 0 && trouble.length === 0
  const wanted = isUpToThem ? tips : all
  const further: string[] = []
  for (const { address, ids } of answers) {
    const present = await presentOf(repository, ids)
    safe.push(...present)
    if (new Set(present).size < ids.length) further.push(address)
  }
  let left = await leftOf(repository, wanted, safe)
  for (const address of further) {
    if (left.size === 0) break
    const held = await heldAt(options, address, { gitDirectory: inner.gitDirectory, tips: lastOf(left) }).catch(
      (error: unknown) => {
        options.mirror.signal?.throwIfAborted()
        trouble.push(messageOf(error))
        return []
      },
    )
    safe.push(...held)
    if (held.length > 0) left = await leftOf(repository, wanted, safe)
  }
  return told([...left.values()], trouble)
}

function told(left: readonly Commit[], trouble: readonly string[]): string[] {
  if (left.length === 0) return []
  const subjects = left.map(({ subject }) => subject)
  const named = (what: string) => `${counted(left.length, 'commit')} ${what} (${sample(subjects)})`
  if (trouble.length === 0) return [named('that no remote has')]
  return [`${named('that may be nowhere else')}; its remote could not be asked: ${trouble.join('; ')}`]
}

/** What its branches, tags, logs and operations name, without remote branches. */
function tipsOf(inner: InnerRepository): Set<string> {
  const tips = new Set(filesOf(inner.gitDirectory, inner.goes).flatMap(([, text]) => [...idsIn(text)]))
  for (const id of idsIn(readCharacters(path.join(inner.gitDirectory, 'HEAD')) ?? '')) tips.add(id)
  return tips
}

async function remoteTips(repository: GitRepository): Promise<string[]> {
  const text = await repository.git(['for-each-ref', '--format=%(objectname)', 'refs/remotes'])
  return text.split('\n').filter(Boolean)
}

async function listed(
  options: LookOptions,
  address: string,
): Promise<{ address: string; ids: string[]; trouble?: string }> {
  try {
    return { address, ids: await listedAt(options, address) }
  } catch (error) {
    options.mirror.signal?.throwIfAborted()
    return { address, ids: [], trouble: messageOf(error) }
  }
}

interface Commit {
  parents: string[]
  subject: string
}

/** The commits behind `tips` that are not behind `without`, newest first. Missing commits are skipped. */
async function leftOf(
  repository: GitRepository,
  tips: ReadonlySet<string>,
  without: readonly string[],
): Promise<Map<string, Commit>> {
  const left = new Map<string, Commit>()
  for (const names of inParts([...tips])) {
    const args = ['log', '-z', '--ignore-missing', '--format=%H %P%n%s', ...names, '--not', ...without, '--']
    for (const record of (await repository.git(args)).split('\0').filter((each) => each !== '')) {
      const end = record.indexOf('\n')
      const [commit = '', ...parents] = record.slice(0, end).trim().split(' ')
      left.set(commit, { parents, subject: record.slice(end + 1) })
    }
  }
  return left
}

/** The last of these commits: those that are a parent of none of the others. */
function lastOf(left: ReadonlyMap<string, Commit>): string[] {
  const parents = new Set([...left.values()].flatMap((each) => each.parents))
  return [...left.keys()].filter((commit) => !parents.has(commit))
}

/** The commits that the repository has. */
async function presentOf(repository: GitRepository, commits: readonly string[]): Promise<string[]> {
  const present: string[] = []
  for (const names of inParts(commits)) {
    const args = ['log', '--no-walk=unsorted', '--ignore-missing', '--format=%H', ...names, '--']
    present.push(...(await repository.git(args)).split('\n').filter(Boolean))
  }
  return present
}

function inParts(names: readonly string[]): string[][] {
  const count = Math.ceil(names.length / namesACall)
  return Array.from({ length: count }, (_, at) => names.slice(at * namesACall, (at + 1) * namesACall))
}

/**
 * The addresses of the repository's remotes. A remote inside the worktree goes with it, so the addresses of its own remotes
 * take its place. `areAll`: no remote is inside the worktree.
 */
async function remotesOf(
  options: LookOptions,
  repository: GitRepository,
  seen = new Set<string>(),
): Promise<{ addresses: string[]; areAll: boolean }> {
  const listing = await repository
    .git(['config', '-z', '--get-regexp', '^remote\\..*\\.(url|pushurl)$'])
    .catch(() => '')
  const urls = listing
    .split('\0')
    .flatMap((entry) => (entry.includes('\n') ? [entry.slice(entry.indexOf('\n') + 1)] : []))
  const addresses = new Set<string>()
  let areAll = true
  for (const url of urls) {
    const address = addressOf(url, repository.path)
    if (!goes(options, address)) {
      addresses.add(address)
      continue
    }
    areAll = false
    const own = [path.join(address, '.git'), address].find(isRepository)
    if (own === undefined || seen.has(own)) continue
    seen.add(own)
    const there = repository.from(address, gitDirectories(own))
    for (const each of (await remotesOf(options, there, seen)).addresses) addresses.add(each)
  }
  return { addresses: [...addresses], areAll }
}

/** Whether the address lies in the worktree or its git directory. */
function goes({ root, gitDirectory }: LookOptions, address: string): boolean {
  const places = [root, gitDirectory].flatMap((place) => [place, realOf(place)])
  return [address, realOf(address)].some((each) => places.some((place) => isWithin(place, each)))
}

function realOf(place: string): string {
  try {
    return fs.realpathSync(place)
  } catch {
    return place
  }
}
