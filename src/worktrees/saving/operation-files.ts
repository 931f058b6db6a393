/**
 * The files of an operation in progress in a worktree (at-risk/operations.ts): saved as a tree, and put back beside the
 * work.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { writeNames } from '../../platform/byte-names.ts'
import { operationFiles } from '../at-risk/operations.ts'
import type { GitRepository } from '../../git/repository.ts'
import { type Place, recordsDirectory } from '../../git/place.ts'

/** The directory in the worktree where they are put. */
const directoryName = '.kugetsu-recovered'

/**
 * Writes the files as a tree into a plain repository (withPlainRepository); undefined when there are none. Throws
 * KugetsuError when a file cannot be read.
 */
export async function takeOperation(
  plain: GitRepository,
  place: Exclude<Place, { kind: 'unknown' }>,
): Promise<string | undefined> {
  const from = recordsDirectory(place)
  const names = from === undefined ? [] : operationFiles(from)
  if (from === undefined || names.length === 0) return undefined
  const list = path.join(plain.path, 'operation')
  writeNames(list, names)
  const own = { GIT_WORK_TREE: from, GIT_INDEX_FILE: path.join(plain.path, 'index-of-operation') }
  const inside = plain.with({ cwd: from, variables: { ...own, GIT_LITERAL_PATHSPECS: '1' } })
  await inside.git(['add', '--force', `--pathspec-from-file=${list}`, '--pathspec-file-nul'])
  return await inside.line(['write-tree'])
}

/**
 * Puts the files of a tree into a new directory of the worktree, which git ignores, and returns its name.
 * They do not go back to where git would continue with them: branches may have other names now, and automatic stashes are
 * among the stashes.
 */
export async function putOperation(worktree: string, plain: GitRepository, tree: string): Promise<string> {
  const name = freeName(worktree)
  const place = path.join(worktree, name)
  fs.mkdirSync(place, { mode: 0o700 })
  const inside = plain.with({ cwd: place, variables: { GIT_WORK_TREE: place } })
  await inside.git(['read-tree', tree])
  await inside.git(['checkout-index', '--all', '--force', '--quiet'])
  fs.writeFileSync(path.join(place, '.gitignore'), '*\n')
  return name
}

function freeName(worktree: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? directoryName : `${directoryName}-${number}`
    if (fs.lstatSync(path.join(worktree, name), { throwIfNoEntry: false }) === undefined) return name
  }
}
