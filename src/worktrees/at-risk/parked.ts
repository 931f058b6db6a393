/**
 * Commits that only the records of a worktree name, and that go with it: the reflog of its HEAD (an abandoned detached HEAD,
 * commits that a rebase or an amended commit replaced), ORIG_HEAD and the like, refs/worktree, refs/bisect and
 * refs/rewritten, and the lists of operations in progress.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { recordsDirectory } from '../../git/place.ts'
import { listsOfOperation } from './operations.ts'
import { readCharacters } from './walk.ts'
import { type Heads, type KnownPlace, type Looked, pushedAt, type Stash } from './commits.ts'

export interface Parked {
  commit: string
  /** A record that names it: `logs/HEAD`, `ORIG_HEAD`, `refs/worktree/wip`. */
  from: string
}

/** How many commits are named in one call: 41 bytes each, and the arguments can have two megabytes. */
const namesACall = 20_000

/**
 * The commits of the records that neither the heads, nor a remote, nor another branch has. Of commits that follow one
 * another, only the last. Commits that the object store has already lost are left out. Throws KugetsuError when git fails.
 */
export async function parkedOf(
  options: Looked,
  place: KnownPlace,
  heads: Heads,
  stashes: readonly Stash[],
): Promise<Parked[]> {
  const records = recordsOf(place, options.branch)
  const named = [heads.head, ...heads.branches.values(), ...heads.incoming, ...stashes.map(({ commit }) => commit)]
  const tips = named.filter((tip) => tip !== undefined)
  for (const tip of tips) records.delete(tip)
  if (records.size === 0) return []
  // The branch, which goes with the worktree, is among the heads.
  const elsewhere = [...tips, ...pushedAt(options, place), ...(place.kind === 'clone' ? [] : ['--branches'])]
  const repository = options.mirror.at(place.repository)
  const names = [...records.keys()]
  const found = new Map<string, string[]>()
  for (let from = 0; from < names.length; from += namesACall) {
    const args = ['log', '--ignore-missing', '--format=%H %P', ...names.slice(from, from + namesACall)]
    const text = await repository.git([...args, '--not', ...elsewhere, '--'])
    for (const line of text.split('\n').filter((each) => each !== '')) {
      const [commit = '', ...parents] = line.split(' ')
      found.set(commit, parents)
    }
  }
  const parents = new Set([...found.values()].flat())
  return [...found.keys()]
    .filter((commit) => !parents.has(commit))
    .map((commit) => ({ commit, from: records.get(commit) ?? 'its records' }))
}

/** All objects that the records name, by id, each with a record that names it. */
function recordsOf(place: KnownPlace, branch: string): Map<string, string> {
  const gitDirectory = recordsDirectory(place)
  const named = new Map<string, string>()
  if (gitDirectory !== undefined) {
    const isClone = place.kind === 'clone'
    for (const [from, text] of filesOf(gitDirectory, isClone)) {
      for (const id of [...idsIn(text), ...idsInList(text)]) named.set(id, from)
    }
  }
  // The reflog of the branch goes with it, also when the branch was moved from another worktree.
  if (place.kind === 'worktree' || place.kind === 'missing') {
    const log = path.join('logs', 'refs', 'heads', branch)
    for (const id of idsIn(readCharacters(path.join(place.repository, log)) ?? ''))
      if (!named.has(id)) named.set(id, log)
  }
  return named
}

/** The text of the files in a git directory that name commits. */
export function filesOf(gitDirectory: string, isRepository: boolean): [name: string, text: string][] {
  const top = fs.readdirSync(gitDirectory, { withFileTypes: true })
  // What FETCH_HEAD names came from a remote.
  const pseudo = top.filter((each) => each.isFile() && /^[A-Z_]+$/.test(each.name) && each.name !== 'FETCH_HEAD')
  const own = ['worktree', 'bisect', 'rewritten'].flatMap((kind) => [`refs/${kind}`, `logs/refs/${kind}`])
  const folders = isRepository ? ['refs', 'logs'] : own
  const names = [
    ...pseudo.map(({ name }) => name),
    'logs/HEAD',
    'packed-refs',
    ...listsOfOperation(gitDirectory),
    ...folders.flatMap((folder) => within(gitDirectory, folder)),
  ]
  return [...new Set(names)]
    .filter((name) => !ofRemote.test(name))
    .flatMap((name) => {
      const text = readCharacters(path.join(gitDirectory, name))
      return text === undefined ? [] : [[name, name === 'packed-refs' ? localOf(text) : text] as [string, string]]
    })
}

/** The refs and logs that a fetch writes. */
const ofRemote = /^(logs\/)?refs\/remotes\//

function localOf(packed: string): string {
  return packed
    .split('\n')
    .filter((line) => !line.includes(' refs/remotes/'))
    .join('\n')
}

function within(gitDirectory: string, folder: string): string[] {
  const at = path.join(gitDirectory, folder)
  if (!fs.existsSync(at)) return []
  return fs
    .readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => path.relative(gitDirectory, path.join(each.parentPath, each.name)))
}

/** The ids in a ref, a reflog or a list of refs: at the beginning of a line; two of them in a reflog. */
export function idsIn(text: string): Set<string> {
  const found = text.matchAll(/^(?:([0-9a-f]{40}|[0-9a-f]{64}) )?([0-9a-f]{40}|[0-9a-f]{64})(?![0-9a-f])/gm)
  const ids = [...found].flatMap(([, before, id]) => [before, id])
  return new Set(ids.filter((id): id is string => id !== undefined && !/^0+$/.test(id)))
}

/** The commits in the list of a rebase or of a cherry-pick of several. Git abbreviates the ids in some lists. */
export function idsInList(text: string): string[] {
  const lines = text.matchAll(/^[a-z]+ (?:-[cC] )?([0-9a-f]{7,64})(?: |$)/gm)
  return [...lines].map(([, id = '']) => id)
}
