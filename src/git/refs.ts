/** The refs of a mirror: asked from git, or read from its files when nothing may wait. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { readText } from '../platform/files.ts'
import type { GitRepository } from './repository.ts'

export interface Ref {
  commit: string
  /** The ref that a symbolic one names, else empty. */
  target: string
}

/** By full name, `refs/heads/main`. Missing and broken refs are left out. */
export type Refs = ReadonlyMap<string, Ref>

/** Asks git for the refs of these names. Throws KugetsuError when git fails. */
export async function askRefs(mirror: GitRepository, names: readonly string[]): Promise<Refs> {
  const format = '--format=%(refname)%00%(objectname)%00%(symref)'
  const text = await mirror.git(['for-each-ref', format, ...names])
  const refs = new Map<string, Ref>()
  for (const line of text.split('\n')) {
    const [name = '', commit = '', target = ''] = line.split('\0')
    // for-each-ref also lists what lies under a name
    if (names.includes(name)) refs.set(name, { commit, target })
  }
  return refs
}

/**
 * Reads the same from the files of the mirror (gitrepository-layout(5), git-pack-refs(1)), in a fiftieth of the time,
 * because it starts no process. Does not check whether the commits exist. Undefined when anything is not plainly as git
 * usually writes it: then git has to be asked.
 */
export function readRefs(mirror: string, names: readonly string[]): Refs | undefined {
  try {
    if (fs.existsSync(path.join(mirror, 'reftable'))) return undefined
    const refs = new Map<string, Ref>()
    let packed: string | undefined
    const valueOf = (name: string) => {
      if (!isPlain(name)) throw new Error(`not the name of a ref: ${name}`)
      // In this order: when git packs a ref, it writes packed-refs before it removes the file.
      return readText(path.join(mirror, name)) ?? packedIn((packed ??= readPacked(mirror)), name)
    }
    for (const name of names) {
      const value = valueOf(name)
      if (value === undefined) continue
      const target = /^ref: (\S+)\n$/.exec(value)?.[1] ?? ''
      const commit = target === '' ? value : valueOf(target)
      if (commit !== undefined) refs.set(name, { commit: requireCommit(commit), target })
    }
    return refs
  } catch {
    return undefined
  }
}

/** Whether a missing ref of that name could be made: no other ref is above or below it. From files, as readRefs. */
export function hasRoom(mirror: string, name: string): boolean {
  return refsInTheWay(mirror, name).length === 0
}

/** Refs above and below a name; only some if there are many. From files, as readRefs. */
export function refsInTheWay(mirror: string, name: string): string[] {
  const packed = readPacked(mirror)
  const above = name.split('/').map((_, index, parts) => parts.slice(0, index).join('/'))
  const isTaken = (ref: string) =>
    packedIn(packed, ref) !== undefined ||
    (fs.existsSync(path.join(mirror, ref)) && fs.statSync(path.join(mirror, ref)).isFile())
  const below = packed.includes(` ${name}/`) || hasFiles(path.join(mirror, name)) ? [`${name}/…`] : []
  return [...above.slice(3).filter(isTaken), ...below]
}

/** Git leaves empty directories behind, and removes them to make room for a ref. */
function hasFiles(directory: string): boolean {
  // When a file is above it, readdirSync would throw.
  if (!fs.existsSync(directory) || !fs.statSync(directory).isDirectory()) return false
  const entries = fs.readdirSync(directory, { withFileTypes: true })
  return entries.some((entry) => !entry.isDirectory() || hasFiles(path.join(directory, entry.name)))
}

/** Whether a repository may have refs below a prefix (`refs/kugetsu/`), by its files; false when there is no repository. */
export function mayHaveRefs(repository: string, prefix: string): boolean {
  if (['reftable', prefix].some((name) => fs.existsSync(path.join(repository, name)))) return true
  try {
    return readPacked(repository).includes(` ${prefix}`)
  } catch {
    return true
  }
}

/** Whether both have the same values for all of these refs, or lack the same ones. */
export function sameRefs(one: Refs | undefined, other: Refs | undefined, names: readonly string[]): boolean {
  if (one === undefined || other === undefined) return false
  return names.every((name) => {
    const [here, there] = [one.get(name), other.get(name)]
    return here?.commit === there?.commit && here?.target === there?.target
  })
}

/** A part of what git-check-ref-format(1) allows, without anything that could lead to another file. */
function isPlain(name: string): boolean {
  return /^refs(\/[\w#+=,%][\w#+=,%.-]*)+$/.test(name) && !/\.\.|\.lock(\/|$)/.test(name)
}

function readPacked(mirror: string): string {
  return `\n${readText(path.join(mirror, 'packed-refs')) ?? ''}`
}

function packedIn(packed: string, name: string): string | undefined {
  const end = packed.indexOf(` ${name}\n`)
  return end === -1 ? undefined : `${packed.slice(packed.lastIndexOf('\n', end) + 1, end)}\n`
}

function requireCommit(text: string): string {
  const commit = /^([0-9a-f]{40}|[0-9a-f]{64})\n$/.exec(text)?.[1]
  if (commit === undefined || /^0+$/.test(commit)) throw new Error('not a commit')
  return commit
}
