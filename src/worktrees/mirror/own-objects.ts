/** A mirror's own objects, besides commits that its remote is not known to have: tags, notes on blobs, files of git-lfs. */
import * as path from 'node:path'
import { sample } from '../../core/wording.ts'
import type { GitRepository } from '../../git/repository.ts'
import { isNothing } from '../../git/place.ts'

/** A ref that names no commit, except refs that a fetch keeps. */
export interface ObjectRef {
  name: string
  object: string
}

/** Where programs keep contents for which git has pointers. The remote may have them, but git cannot tell. */
const stores = { 'lfs/objects': 'git-lfs', annex: 'git-annex' }

/**
 * The refs of the mirror that name a tag object, a tree or a blob instead of a commit. The caller counts the
 * commits. Throws KugetsuError when git fails.
 */
export async function objectRefs(mirror: GitRepository): Promise<ObjectRef[]> {
  const text = await mirror.git(['for-each-ref', '--format=%(objectname) %(objecttype) %(refname)'])
  return text.split('\n').flatMap((line) => {
    const [, object = '', name = ''] = /^(\S+) (?:tag|tree|blob) (\S+)$/.exec(line) ?? []
    return name === '' || /^refs\/(remotes\/origin|kugetsu)\//.test(name) || name === 'refs/stash'
      ? []
      : [{ name, object }]
  })
}

/** Whether a fetch may have brought the ref. Only tags come that way, and only the remote can tell. */
export function isFetched({ name }: ObjectRef): boolean {
  return name.startsWith('refs/tags/')
}

/** Reasons to keep a mirror, a line each: those refs by name, and what programs other than git keep in it. */
export function reasonsOf(mirror: string, refs: readonly string[]): string[] {
  const named = refs.length === 0 ? [] : [`it has what its remote is not known to have (${sample(refs)})`]
  const stored = Object.entries(stores).filter(([store]) => !isNothing(path.join(mirror, store)))
  return [...named, ...stored.map(([store, program]) => `files of ${program} are in ${path.join(mirror, store)}`)]
}
