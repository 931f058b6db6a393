/**
 * What is to become of ignored files when their worktree goes. Git leaves them out of everything, yet an `.env` or a
 * local database is work as well; `node_modules` is not.
 */
import * as fs from 'node:fs'
import { type ByteName, charactersOf, displayName, listNames, placeIn } from '../../platform/byte-names.ts'

/** Directories that tools make, and make again: never kept, and no reason to keep a worktree. */
const made = wordsOf(`.angular .bundle .cache .dart_tool .eggs .gradle .mypy_cache .next .nuxt .nyc_output .parcel-cache
  .pytest_cache .ruff_cache .svelte-kit .terraform .tox .turbo .venv .vite __pycache__ bower_components node_modules venv`)
/** Directories that mostly are: kept as long as they are small. */
const mostlyMade = wordsOf('_build bin build coverage deps dist htmlcov obj out target tmp vendor zig-cache')
const mostBytes = 20 * 1024 * 1024
const mostFiles = 5_000

export interface IgnoredFiles {
  /** All of them, named as `git status` does. */
  names: readonly ByteName[]
  /** Saved with the rest: all of them together are within the limits. */
  kept: ByteName[]
  /** Not saved, though it may be work, each with the reason. */
  left: string[]
  /** Not saved: what tools make. */
  generated: string[]
}

/** Sorts the ignored files and directories of a worktree, named as `git status` does, by what is to become of them. */
export function sortIgnored(worktree: string, names: readonly ByteName[]): IgnoredFiles {
  const sorted: IgnoredFiles = { names, kept: [], left: [], generated: [] }
  const measured: { name: ByteName; bytes: number; files: number }[] = []
  for (const name of names) {
    const size = isAmong(made, name) ? 'made by tools' : measure(placeIn(worktree, name))
    if (typeof size !== 'string') measured.push({ name, ...size })
    else leave(sorted, name, size)
  }
  let bytes = 0
  let files = 0
  for (const each of measured.sort((a, b) => a.bytes - b.bytes)) {
    bytes += each.bytes
    files += each.files
    if (bytes <= mostBytes && files <= mostFiles) sorted.kept.push(each.name)
    else leave(sorted, each.name, inWords(each.bytes))
  }
  return sorted
}

function leave(sorted: IgnoredFiles, name: ByteName, reason: string): void {
  if (isAmong(made, name) || isAmong(mostlyMade, name)) sorted.generated.push(displayName(name))
  else sorted.left.push(`${displayName(name)} (${reason})`)
}

/** Whether it is, or lies in, a directory of one of these names. */
function isAmong(directories: ReadonlySet<string>, name: ByteName): boolean {
  const characters = charactersOf(name)
  return characters.endsWith('/') && characters.split('/').some((part) => directories.has(part))
}

/** Its size, or what keeps it from being saved. */
function measure(place: Buffer): { bytes: number; files: number } | string {
  let bytes = 0
  let files = 0
  const waiting = [place]
  try {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const stat = fs.lstatSync(next, { throwIfNoEntry: false })
      if (stat === undefined) continue
      if (!stat.isDirectory()) {
        bytes += stat.size
        files += 1
      } else {
        const names = listNames(next)
        if (names.some((name) => charactersOf(name) === '.git')) return 'a repository of its own'
        for (const name of names) waiting.push(placeIn(next, name))
      }
      if (bytes > mostBytes) return `more than ${inWords(mostBytes)}`
      if (files > mostFiles) return `more than ${mostFiles} files`
    }
    return { bytes, files }
  } catch {
    return 'it cannot be read'
  }
}

function inWords(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KB` : `${Math.ceil(bytes / 1024 / 1024)} MB`
}

function wordsOf(text: string): Set<string> {
  return new Set(text.split(/\s+/))
}
