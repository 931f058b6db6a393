/**
 * The files of an operation in progress in a worktree (at-risk/operations.ts): saved as a tree, and put back beside the
 * work.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { writeNames } from '../../platform/byte-names.ts'
import { operationFiles } from '../at-risk/operations.ts'
import { type GitCall, runGit } from '../../git/git.ts'
import { type Place, recordsDirectory } from '../../git/place.ts'

/** The directory in the worktree where they are put. */
const directoryName = '.kugetsu-recovered'

/**
 * Writes the files as a tree; undefined when there are none. `call` is a call in a plain repository (withPlainRepository) at
 * `directory`. Throws KugetsuError when a file cannot be read.
 */
export async function takeOperation(options: {
  call: GitCall
  directory: string
  place: Exclude<Place, { kind: 'unknown' }>
}): Promise<string | undefined> {
  const { call, directory, place } = options
  const from = recordsDirectory(place)
  const names = from === undefined ? [] : operationFiles(from)
  if (from === undefined || names.length === 0) return undefined
  const list = path.join(directory, 'operation')
  writeNames(list, names)
  const own = { GIT_WORK_TREE: from, GIT_INDEX_FILE: path.join(directory, 'index-of-operation') }
  const variables = { ...call.variables, ...own, GIT_LITERAL_PATHSPECS: '1' }
  const inside: GitCall = { ...call, cwd: from, variables }
  await runGit(['add', '--force', `--pathspec-from-file=${list}`, '--pathspec-file-nul'], inside)
  return (await runGit(['write-tree'], inside)).trim()
}

/**
 * Puts the files of a tree into a new directory of the worktree at `options.path`, which git ignores, and returns its name.
 * They do not go back to where git would continue with them: branches may have other names now, and automatic stashes are
 * among the stashes.
 */
export async function putOperation(options: { path: string }, plain: GitCall, tree: string): Promise<string> {
  const name = freeName(options.path)
  const place = path.join(options.path, name)
  fs.mkdirSync(place, { mode: 0o700 })
  const call: GitCall = { ...plain, cwd: place, variables: { ...plain.variables, GIT_WORK_TREE: place } }
  await runGit(['read-tree', tree], call)
  await runGit(['checkout-index', '--all', '--force', '--quiet'], call)
  fs.writeFileSync(path.join(place, '.gitignore'), '*\n')
  return name
}

function freeName(worktree: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? directoryName : `${directoryName}-${number}`
    if (fs.lstatSync(path.join(worktree, name), { throwIfNoEntry: false }) === undefined) return name
  }
}
