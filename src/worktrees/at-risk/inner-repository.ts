/** What is in a repository inside a worktree and nowhere else. None of it can be saved, so it has to stay. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { messageOf } from '../../core/errors.ts'
import { charactersOf, displayName, nameIn } from '../../platform/byte-names.ts'
import { listEntries } from '../entries.ts'
import { type GitCall, gitDirectories, type GitOptions, runGit } from '../git.ts'
import { counted, sample } from '../../core/wording.ts'
import { isMade, sortIgnored } from './ignored-files.ts'
import { operationIn } from './operations.ts'
import { filesOf, idsIn } from './parked.ts'
import type { InnerRepository } from './repositories.ts'
import { readStatus } from './status.ts'
import { readCharacters } from './walk.ts'

/** How many commits are named to one call. */
const namesACall = 20_000

/**
 * What would be lost with it, a line each without its name. Throws KugetsuError when git fails, which means that it cannot be
 * told.
 */
export async function lostWith(options: GitOptions, root: string, inner: InnerRepository): Promise<string[]> {
  const lost: string[] = []
  if (inner.at !== undefined) lost.push(...(await filesLost(options, root, inner)))
  lost.push(...(await commitsLost(options, root, inner)))
  const others = inner.goes ? listEntries(inner.gitDirectory).filter(({ present }) => present) : []
  const outside = others.find(({ path: place }) => place !== undefined && !place.startsWith(`${root}/`))
  if (outside?.path !== undefined) lost.push(`${outside.path} is a worktree of it`)
  return lost
}

async function filesLost(options: GitOptions, root: string, inner: InnerRepository): Promise<string[]> {
  if (inner.at === undefined) return []
  const place = path.join(root, displayName(inner.at))
  const lost: string[] = []
  const onWarning = (text: string) => void lost.push(`not all of it can be read: ${text}`)
  const call = callOn(options, inner, place)
  const status = await readStatus({ ...call, onWarning })
  const operation = operationIn(inner.gitDirectory)
  if (operation !== undefined) lost.push(`${operation} is in progress`)
  const changed = [...status.uncommitted, ...status.untracked]
  if (changed.length > 0) {
    lost.push(`${counted(changed.length, 'change')} (${sample(changed.slice(0, 5).map(displayName), changed.length)})`)
  }
  // What a tool has cloned it has built as well.
  if (isMade(nameIn(`${charactersOf(inner.at)}/`))) return lost
  const { kept, left, output } = sortIgnored(place, status.ignored)
  const ignored = [...kept.map(displayName), ...left, ...output]
  if (ignored.length > 0) lost.push(`${counted(ignored.length, 'ignored file')} (${sample(ignored)})`)
  return lost
}

/** Commits that no remote of it has; of a linked worktree, those that its repository would have no name for either. */
async function commitsLost(options: GitOptions, root: string, inner: InnerRepository): Promise<string[]> {
  const call = callOn(
    options,
    inner,
    inner.at === undefined ? inner.gitDirectory : path.join(root, displayName(inner.at)),
  )
  const tips = new Set(filesOf(inner.gitDirectory, inner.goes).flatMap(([, text]) => [...idsIn(text)]))
  for (const id of idsIn(readCharacters(path.join(inner.gitDirectory, 'HEAD')) ?? '')) tips.add(id)
  if (fs.existsSync(path.join(inner.gitDirectory, 'reftable')))
    return ['its refs are in a format that is not known here']
  if (tips.size === 0) return []
  const known = inner.goes ? ['--remotes'] : ['--remotes', '--branches']
  const isOwn = inner.goes && hasPushed(inner.gitDirectory)
  const unknown = isOwn ? undefined : await subjectsOf(call, tips, known)
  if (unknown?.length === 0) return []
  const asked = inner.goes ? await heldByRemotes(options, root, call) : { held: [], trouble: [] }
  // What was pushed from here may have been deleted there since.
  const subjects = await subjectsOf(call, tips, isOwn ? asked.held : [...known, ...asked.held])
  if (subjects.length === 0) return []
  const trouble = asked.trouble.length === 0 ? '' : `; its remote could not be asked: ${asked.trouble.join('; ')}`
  return [`${counted(subjects.length, 'commit')} that no remote has (${sample(subjects)})${trouble}`]
}

async function subjectsOf(call: GitCall, tips: ReadonlySet<string>, without: readonly string[]): Promise<string[]> {
  const names = [...tips]
  const found: string[] = []
  for (let from = 0; from < names.length; from += namesACall) {
    const args = ['log', '-z', '--ignore-missing', '--format=%s', ...names.slice(from, from + namesACall)]
    const text = await runGit([...args, '--not', ...without, '--'], call)
    if (text !== '') found.push(...text.replace(/\0$/, '').split('\0'))
  }
  return found
}

/** A push leaves this in the log of the branch of the remote; a fetch does not. Without logs it cannot be told. */
function hasPushed(gitDirectory: string): boolean {
  if (/logallrefupdates\s*=\s*false/i.test(readCharacters(path.join(gitDirectory, 'config')) ?? '')) return true
  const logs = path.join(gitDirectory, 'logs', 'refs', 'remotes')
  if (!fs.existsSync(logs)) return false
  return fs
    .readdirSync(logs, { recursive: true, withFileTypes: true })
    .some((each) => each.isFile() && fs.readFileSync(path.join(each.parentPath, each.name)).includes('update by push'))
}

/** The commits, of those it has, at which the branches and tags of its remotes are now. */
async function heldByRemotes(
  options: GitOptions,
  root: string,
  call: GitCall,
): Promise<{ held: string[]; trouble: string[] }> {
  const listing = await runGit(['config', '-z', '--get-regexp', '^remote\\..*\\.url$'], call).catch(() => '')
  const urls = listing
    .split('\0')
    .flatMap((entry) => (entry.includes('\n') ? [entry.slice(entry.indexOf('\n') + 1)] : []))
  const trouble: string[] = []
  const listed = new Set<string>()
  // Asked from outside, with the settings of the user alone.
  const { env, timeoutMs, signal } = options
  const from: GitCall = {
    env,
    timeoutMs,
    signal,
    cwd: path.dirname(root),
    variables: { GIT_CEILING_DIRECTORIES: path.dirname(path.dirname(root)) },
  }
  for (const url of new Set(urls)) {
    const address = addressOf(url, call.cwd)
    // What lies in the worktree goes with it.
    if (`${address}/`.startsWith(`${root}/`)) continue
    try {
      const args = ['ls-remote', '--quiet', '--heads', '--tags', '--upload-pack=git-upload-pack', '--', address]
      const text = await runGit(args, from)
      for (const id of text.matchAll(/^([0-9a-f]{40,64})\t/gm)) listed.add(id[1] ?? '')
    } catch (error) {
      options.signal?.throwIfAborted()
      trouble.push(messageOf(error))
    }
  }
  const names = [...listed]
  const held: string[] = []
  for (let from = 0; from < names.length; from += namesACall) {
    const some = names.slice(from, from + namesACall)
    const args = ['log', '--no-walk=unsorted', '--ignore-missing', '--format=%H', ...some, '--']
    held.push(...(await runGit(args, call)).split('\n').filter((line) => line !== ''))
  }
  return { held, trouble }
}

/** The URL of a remote, or the whole path where it is one; one that is not whole counts from the repository in `from`. */
function addressOf(url: string, from: string): string {
  const place = url.startsWith('file://') ? url.slice('file://'.length) : url
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place) || /^[^/]+:/.test(place) ? url : path.resolve(from, place)
}

function callOn(options: GitOptions, inner: InnerRepository, cwd: string): GitCall {
  const { env, timeoutMs, signal } = options
  const own = gitDirectories(inner.gitDirectory)
  const tree = inner.at === undefined ? {} : { GIT_WORK_TREE: cwd }
  return { env, timeoutMs, signal, cwd, variables: { ...own, ...tree } }
}
