/**
 * The repositories inside a worktree, wherever they are: a submodule, a repository committed as a mere pointer, a clone in
 * an ignored directory, a linked worktree of any repository, one inside another one. Git looks into none of them, so this
 * code walks the files. A path is a string of one character for each byte here, as in platform/byte-names.ts.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { byteName, type ByteName, charactersOf, displayName, nameIn } from '../../platform/byte-names.ts'
import { specialKind } from '../../platform/regular-file.ts'
import { isRepository } from '../../git/place.ts'
import { gitDirectoryOf, isGitDirectory, readEntries } from './walk.ts'

export interface InnerRepository {
  /** For display: its path in the worktree, or that of a submodule without a checkout. */
  name: string
  /** Its directory in the worktree, without a slash at the end; undefined when it has no files there. */
  at: ByteName | undefined
  /** The path in the worktree of a bare repository. */
  bare?: string
  gitDirectory: string
  /** Its commits go with the worktree; false for a linked worktree of a repository that stays. */
  goes: boolean
}

export interface Walked {
  repositories: InnerRepository[]
  /** What could not be inspected, a line each. */
  unknown: string[]
  /** Pipes, sockets and devices at paths that git reads in every directory it looks at, a line each. */
  waiting: string[]
}

/** Git opens these without checking what they are. */
const readByGit = new Set(['.gitignore', '.gitattributes'])

/** The repositories in the worktree at `root`, and in the modules of its git directory. Follows no links. */
export function findRepositories(root: string, gitDirectory: string): Walked {
  const found: Walked = { repositories: [], unknown: [], waiting: [] }
  const base = charactersOf(byteName(root))
  const waiting = ['']
  for (let inside = waiting.pop(); inside !== undefined; inside = waiting.pop()) {
    const entries = entriesOf(pathOf(`${base}/${inside}`), displayName(nameIn(inside)), found)
    const names = new Set(entries.map(({ name }) => name))
    if (names.has('HEAD') && names.has('objects') && names.has('refs')) {
      add(found, { root, gitDirectory }, inside, undefined)
      continue
    }
    for (const entry of entries) {
      if (entry.name === '.git') {
        if (inside !== '') add(found, { root, gitDirectory }, inside, entry)
      } else if (entry.isDirectory()) waiting.push(inside === '' ? entry.name : `${inside}/${entry.name}`)
      else if (readByGit.has(entry.name)) addWaiting(found, inside, entry)
    }
  }
  const known = new Set(found.repositories.map((each) => each.gitDirectory))
  for (const module of modulesIn(path.join(gitDirectory, 'modules'), found)) {
    if (known.has(module)) continue
    const name = `${path.relative(path.join(gitDirectory, 'modules'), module)} (a submodule that is not checked out)`
    found.repositories.push({ name, at: undefined, gitDirectory: module, goes: true })
  }
  return found
}

function addWaiting(found: Walked, inside: string, entry: fs.Dirent): void {
  const kind = specialKind(entry)
  if (kind === undefined) return
  const name = displayName(nameIn(inside === '' ? entry.name : `${inside}/${entry.name}`))
  found.waiting.push(`${name} is ${kind}, for which git would wait: it cannot look at the files`)
}

function add(
  found: Walked,
  { root, gitDirectory }: { root: string; gitDirectory: string },
  inside: string,
  entry: fs.Dirent | undefined,
): void {
  const at = nameIn(inside)
  const name = `${displayName(at)}/`
  const place = path.join(root, displayName(at))
  if (charactersOf(byteName(displayName(at))) !== inside) {
    found.unknown.push(`${name} is a repository with a name that is not UTF-8`)
    return
  }
  if (entry === undefined) {
    const bare = displayName(at)
    if (isRepository(place)) found.repositories.push({ name, at: undefined, bare, gitDirectory: place, goes: true })
    return
  }
  const own = gitDirectoryOf(place, entry)
  if (own === undefined) return
  if (!isGitDirectory(own)) {
    found.unknown.push(`${name} has a .git that is not a complete repository`)
    return
  }
  const isEntry = fs.existsSync(path.join(own, 'commondir'))
  const real = fs.realpathSync(own)
  const goes = [root, gitDirectory].some((each) => real.startsWith(`${fs.realpathSync(each)}/`))
  found.repositories.push({ name, at, gitDirectory: real, goes: goes && !isEntry })
}

/** The repositories of submodules, nested as the submodules are. */
function modulesIn(directory: string, found: Walked): string[] {
  if (!fs.existsSync(directory)) return []
  return entriesOf(directory, directory, found).flatMap((entry) => {
    if (!entry.isDirectory()) return []
    const each = path.join(directory, displayName(nameIn(entry.name)))
    const real = isRepository(each) ? [fs.realpathSync(each)] : []
    return real.length === 0 ? modulesIn(each, found) : [...real, ...modulesIn(path.join(each, 'modules'), found)]
  })
}

function entriesOf(directory: string | Buffer, name: string, found: Walked): fs.Dirent[] {
  const told = name === '' ? 'the worktree' : `${name}/`
  return readEntries(directory, (code) => void found.unknown.push(`${told} cannot be read (${code})`))
}

/** A path for fs. Most names are ASCII and need no conversion to bytes. */
function pathOf(characters: string): string | Buffer {
  // eslint-disable-next-line no-control-regex
  return /^[\u0000-\u007f]*$/.test(characters) ? characters : Buffer.from(characters, 'latin1')
}
