/** The mirrors of a home, by what lies under repos/. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Repository } from '../core/issue-ref.ts'
import { codeOf } from '../core/errors.ts'
import type { Paths } from './paths.ts'

export interface MirrorOfHome {
  path: string
  repository: Repository
}

/** All mirrors, sorted by path. What cannot be read is left out. */
export function listMirrors(paths: Paths): MirrorOfHome[] {
  const found: MirrorOfHome[] = []
  const walk = (parts: string[]) => {
    for (const name of directoriesIn(path.join(paths.repos, ...parts))) {
      const [host, ...owner] = parts
      if (host !== undefined && owner.length > 0 && name.endsWith('.git')) {
        const repository = { host, owner: owner.join('/'), repo: name.slice(0, -'.git'.length) }
        found.push({ path: path.join(paths.repos, ...parts, name), repository })
      } else walk([...parts, name])
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

/** Half made, half deleted, or damaged and set aside. */
function isAside(name: string): boolean {
  return name.startsWith('.') || name.includes('.unreadable-')
}
