/**
 * Decides about ignored files when their worktree is removed. Git leaves them out of everything, yet an `.env` or a
 * local database is work as well; `node_modules` is not.
 */
import * as fs from 'node:fs'
import { type ByteName, charactersOf, displayName, nameIn, placeIn } from '../../platform/byte-names.ts'
import { readRegular } from '../../platform/regular-file.ts'
import { isInnerRepository, readEntries } from './walk.ts'

/** Directories that tools make, and can make again: never kept, and no reason to keep a worktree. */
const made = wordsOf(`.angular .bundle .cache .dart_tool .eggs .gradle .mypy_cache .next .nuxt .nyc_output .parcel-cache
  .pytest_cache .ruff_cache .svelte-kit .terraform .tox .turbo .venv .vite __pycache__ bower_components node_modules venv`)
/** Directories that tools usually make. One with many files counts as a whole as the output of a tool. */
const mostlyMade = wordsOf('_build bin build coverage deps dist htmlcov obj out target tmp vendor zig-cache')
const filesOfTools = 200
const mostBytes = 20 * 1024 * 1024
const mostFiles = 5_000
/** bford.info/cachedir: by this tag a tool says that it can make the directory again. */
const cacheTag = 'Signature: 8a477f597d28d172789f06886806bc55'

export interface IgnoredFiles {
  /** All ignored files, named as `git status` does. */
  names: readonly ByteName[]
  /** Saved with the rest, the smallest first, as long as the total is within the limits. */
  kept: ByteName[]
  /** Not saved although it may be work, a line each. */
  left: string[]
  /**
   * Apparently the output of a tool, and too large to save, a line each. No reason to keep a worktree, but to be reported.
   */
  output: string[]
  /** Output of tools: neither saved nor worth reporting. */
  generated: string[]
}

/** Files that are kept together or not at all. */
interface Unit {
  /** For display; undefined for a single file. */
  name: ByteName | undefined
  files: ByteName[]
  bytes: number
}

export function noIgnoredFiles(names: readonly ByteName[] = []): IgnoredFiles {
  return { names, kept: [], left: [], output: [], generated: [] }
}

/**
 * Sorts the ignored files and directories of a worktree, named as `git status` does, by what to do with them. Leaves
 * out repositories in them (see inner-repository.ts) and anything but files, such as a socket or a pipe.
 */
export function sortIgnored(worktree: string, names: readonly ByteName[]): IgnoredFiles {
  const sorted = noIgnoredFiles(names)
  const units: Unit[] = []
  for (const name of names) {
    if (isMade(name)) {
      sorted.generated.push(displayName(name))
      continue
    }
    const found = filesIn(worktree, name, sorted)
    if (isAmong(mostlyMade, name) && hasCacheTag(worktree, name)) sorted.generated.push(displayName(name))
    else if (isAmong(mostlyMade, name) && found.length > filesOfTools) units.push(wholeOf(name, found))
    else for (const file of found) units.push({ name: undefined, files: [file.name], bytes: file.bytes })
  }
  let bytes = 0
  let files = 0
  const left: Measured[] = []
  for (const unit of units.sort((a, b) => a.bytes - b.bytes)) {
    bytes += unit.bytes
    files += unit.files.length
    if (bytes <= mostBytes && files <= mostFiles) sorted.kept.push(...unit.files)
    else if (unit.name === undefined) left.push(...unit.files.map((name) => ({ name, bytes: unit.bytes })))
    else sorted.output.push(`${displayName(unit.name)} (${unit.files.length} files, ${inWords(unit.bytes)})`)
  }
  sorted.left = linesOf(left)
  return sorted
}

/** Whether `name` is, or lies in, a directory that tools make. The name of a directory ends in `/`. */
export function isMade(name: ByteName): boolean {
  return isAmong(made, name) || /(^|\/)tmp\/cache\//.test(charactersOf(name))
}

interface Measured {
  name: ByteName
  bytes: number
}

function wholeOf(name: ByteName, found: readonly Measured[]): Unit {
  return { name, files: found.map((file) => file.name), bytes: found.reduce((sum, { bytes }) => sum + bytes, 0) }
}

/** The files of an ignored file or directory with their sizes, without what tools make in it. */
function filesIn(worktree: string, name: ByteName, sorted: IgnoredFiles): Measured[] {
  const found: Measured[] = []
  const waiting = [charactersOf(name).replace(/\/$/, '')]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const stat = fs.lstatSync(placeIn(worktree, nameIn(next)), { throwIfNoEntry: false })
    if (stat?.isDirectory() !== true) {
      if (stat?.isFile() === true || stat?.isSymbolicLink() === true)
        found.push({ name: nameIn(next), bytes: stat.size })
      continue
    }
    // The search for repositories reports directories that cannot be read.
    const entries = readEntries(placeIn(worktree, nameIn(next)), () => {})
    if (isInnerRepository(placeIn(worktree, nameIn(next)), entries)) continue
    for (const entry of entries) {
      if (entry.name === '.git') continue
      if (entry.isDirectory() && made.has(entry.name))
        sorted.generated.push(`${displayName(nameIn(next))}/${entry.name}/`)
      else waiting.push(`${next}/${entry.name}`)
    }
  }
  return found
}

function hasCacheTag(worktree: string, name: ByteName): boolean {
  try {
    const tag = Buffer.concat([placeIn(worktree, name), Buffer.from('/CACHEDIR.TAG')])
    return readRegular(tag, mostBytes)?.toString('latin1').startsWith(cacheTag) === true
  } catch {
    return false
  }
}

/** Up to ten files of a directory are named; more of them become one line. */
const namedOfOne = 10

function linesOf(left: readonly Measured[]): string[] {
  const directories = new Map<string, Measured[]>()
  for (const file of left) {
    const directory = charactersOf(file.name).replace(/[^/]*$/, '')
    const beside = directories.get(directory)
    if (beside === undefined) directories.set(directory, [file])
    else beside.push(file)
  }
  return [...directories].flatMap(([directory, files]) => {
    if (files.length <= namedOfOne) return files.map(({ name, bytes }) => `${displayName(name)} (${inWords(bytes)})`)
    const { bytes } = wholeOf(nameIn(directory), files)
    return [`${files.length} files in ${displayName(nameIn(directory)) || 'the worktree itself'} (${inWords(bytes)})`]
  })
}

/** Whether `name` is, or lies in, a directory with one of these names. */
function isAmong(directories: ReadonlySet<string>, name: ByteName): boolean {
  const characters = charactersOf(name)
  return characters.endsWith('/') && characters.split('/').some((part) => directories.has(part))
}

/** The kept files that cannot be read. */
export function unreadable(worktree: string, kept: readonly ByteName[]): ByteName[] {
  return kept.filter((name) => {
    try {
      const place = placeIn(worktree, name)
      if (!fs.lstatSync(place).isSymbolicLink()) fs.accessSync(place, fs.constants.R_OK)
      return false
    } catch {
      return true
    }
  })
}

function inWords(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KB` : `${Math.ceil(bytes / 1024 / 1024)} MB`
}

function wordsOf(text: string): Set<string> {
  return new Set(text.split(/\s+/))
}
