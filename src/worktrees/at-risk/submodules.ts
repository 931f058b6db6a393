/** Repositories inside a worktree, into which `git status` looks with the settings that they have themselves. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { linkOf } from '../entries.ts'
import { type GitCall, runGit } from '../git.ts'

const deepest = 5

/** The git directories of the submodules that are checked out in a worktree, those inside of them included. */
export async function submoduleDirectories(call: GitCall, depth = 0): Promise<string[]> {
  const gitDirectory = call.variables?.['GIT_DIR']
  if (gitDirectory === undefined || depth > deepest || !mayHaveSubmodules(gitDirectory)) return []
  const listing = await runGit(['ls-files', '--stage', '-z'], call)
  const places = listing
    .split('\0')
    .filter((line) => line.startsWith('160000 '))
    .map((line) => path.join(call.cwd, line.slice(line.indexOf('\t') + 1)))
  const found: string[] = []
  for (const place of places) {
    const directory = linkOf(place) ?? path.join(place, '.git')
    if (!fs.existsSync(path.join(directory, 'HEAD'))) continue
    const variables = { GIT_DIR: directory, GIT_WORK_TREE: place }
    found.push(
      directory,
      ...(await submoduleDirectories({ ...call, onProgress: undefined, cwd: place, variables }, depth + 1)),
    )
  }
  return found
}

/** An index entry of a submodule has this mode, in four bytes; asking git for all entries takes far longer. */
const submoduleMode = Buffer.from([0x00, 0x00, 0xe0, 0x00])

function mayHaveSubmodules(gitDirectory: string): boolean {
  const names = fs.readdirSync(gitDirectory).filter((name) => name === 'index' || name.startsWith('sharedindex.'))
  return names.some((name) => fs.readFileSync(path.join(gitDirectory, name)).includes(submoduleMode))
}
