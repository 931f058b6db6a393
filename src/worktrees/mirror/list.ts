/** The mirrors of a home, found by what lies under repos/. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Repository } from '../../core/issue-ref.ts'
import { codeOf } from '../../core/errors.ts'
import type { Paths } from '../../config/paths.ts'

export interface MirrorOfHome {
  path: string
  repository: Repository
}

/** The repository for work that was saved from worktrees of the mirror at this path. */
export function savedRepositoryOf(mirror: string): string {
  return path.join(path.dirname(mirror), `.${path.basename(mirror)}${savedEnding}`)
}

const savedEnding = '.saved'

/** All mirrors, sorted by path. Directories that cannot be read are left out. */
export function listMirrors(paths: Paths): MirrorOfHome[] {
  return listRepositories(paths, (name) => (name.endsWith('.git') ? name : undefined))
}

/** All mirrors, and those that are gone but still have saved work. */
export function listMirrorsAndSaved(paths: Paths): MirrorOfHome[] {
  const mirrors = listMirrors(paths)
  const known = new Set(mirrors.map((mirror) => mirror.path))
  const saved = listRepositories(paths, (name) => (isSaved(name) ? name.slice(1, -savedEnding.length) : undefined))
  return [...mirrors, ...saved.filter((mirror) => !known.has(mirror.path))]
}

/** `nameIn` returns the name of the mirror that a directory of this name belongs to. */
function listRepositories(paths: Paths, nameIn: (directory: string) => string | undefined): MirrorOfHome[] {
  const found: MirrorOfHome[] = []
  const walk = (parts: string[]) => {
    for (const directory of directoriesIn(path.join(paths.repos, ...parts))) {
      const [host, ...owner] = parts
      const name = host === undefined || owner.length === 0 ? undefined : nameIn(directory)
      if (host !== undefined && name !== undefined) {
        const repository = { host, owner: owner.join('/'), repo: name.slice(0, -'.git'.length) }
        found.push({ path: path.join(paths.repos, ...parts, name), repository })
      } else if (!directory.endsWith('.git') && !isSaved(directory)) walk([...parts, directory])
    }
  }
  walk([])
  return found
}

function directoriesIn(directory: string): string[] {
  try {
    const entries = fs.readdirSync(directory, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && !isAside(entry.name))
      .map(({ name }) => name)
      .sort()
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return []
  }
}

/** Half made, half deleted, or damaged and set aside. A repository's own name may begin with a dot, such as `.github`. */
function isAside(name: string): boolean {
  return /^\..*\.tmp$/.test(name) || name.includes('.unreadable-')
}

function isSaved(name: string): boolean {
  return /^\..+\.git\.saved$/.test(name)
}
