/** What a mirror has beside commits and is not known to be on its remote: tags, notes on blobs, files of git-lfs. */
import * as path from 'node:path'
import { sample } from '../../core/wording.ts'
import { type GitCall, runGit } from '../../git/git.ts'
import { isNothing } from '../../git/place.ts'

/** A ref, outside of what a fetch keeps, that names no commit. */
export interface ObjectRef {
  name: string
  object: string
}

/** Where programs keep contents that git knows pointers of; the remote may have them, which git cannot tell. */
const stores = { 'lfs/objects': 'git-lfs', annex: 'git-annex' }

/**
 * The refs of the mirror at `call` that name no commit but a tag of its own, a tree or a blob. Commits are counted by
 * whoever asks. Throws KugetsuError when git fails.
 */
export async function objectRefs(call: GitCall): Promise<ObjectRef[]> {
  const text = await runGit(['for-each-ref', '--format=%(objectname) %(objecttype) %(refname)'], call)
  return text.split('\n').flatMap((line) => {
    const [, object = '', name = ''] = /^(\S+) (?:tag|tree|blob) (\S+)$/.exec(line) ?? []
    return name === '' || /^refs\/(remotes\/origin|kugetsu)\//.test(name) || name === 'refs/stash'
      ? []
      : [{ name, object }]
  })
}

/** Whether a fetch may have brought it: only tags come so, and only the remote can tell. */
export function isFetched({ name }: ObjectRef): boolean {
  return name.startsWith('refs/tags/')
}

/** Reasons to keep a mirror, a line each: those refs by name, and what programs other than git keep in it. */
export function reasonsOf(mirror: string, refs: readonly string[]): string[] {
  const named = refs.length === 0 ? [] : [`what its remote is not known to have is in it (${sample(refs)})`]
  const stored = Object.entries(stores).filter(([store]) => !isNothing(path.join(mirror, store)))
  return [...named, ...stored.map(([store, program]) => `files of ${program} are in ${path.join(mirror, store)}`)]
}
