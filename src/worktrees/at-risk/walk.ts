/** Reads directories with names in bytes. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { codeOf, KugetsuError } from '../../core/errors.ts'
import { type ByteName, nameIn, placeIn } from '../../platform/byte-names.ts'
import { readRegular } from '../../platform/regular-file.ts'
import { isRepository } from '../../git/place.ts'

/**
 * A directory's entries, with names of one character for each byte. Empty when the directory is gone, or cannot be read;
 * `onTrouble` is told of the latter.
 */
export function readEntries(directory: string | Buffer, onTrouble: (code: string) => void): fs.Dirent[] {
  try {
    return fs.readdirSync(directory, { withFileTypes: true, encoding: 'latin1' })
  } catch (error) {
    const code = codeOf(error) ?? 'unknown'
    if (code !== 'ENOENT' && code !== 'ENOTDIR') onTrouble(code)
    return []
  }
}

/**
 * The files below the directory `folder` of `directory`, as paths in `directory`; none when it does not exist. Throws
 * KugetsuError `unreadable`.
 */
export function filesBelow(directory: string, folder: string): ByteName[] {
  const found: ByteName[] = []
  const waiting = [folder]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const inside = next
    const entries = readEntries(placeIn(directory, nameIn(inside)), (code) => {
      throw new KugetsuError(`${path.join(directory, folder)} cannot be read (${code})`, { code: 'unreadable' })
    })
    for (const entry of entries) {
      if (entry.isDirectory()) waiting.push(`${inside}/${entry.name}`)
      else if (entry.isFile()) found.push(nameIn(`${inside}/${entry.name}`))
    }
  }
  return found
}

/**
 * A file of git's with one character for each byte, since it need not be text: a log has what people wrote. Undefined
 * when it is missing or a directory. Throws KugetsuError for anything else than a regular file, because its contents
 * are unknown.
 */
export function readCharacters(file: string): string | undefined {
  try {
    return readRegular(file)?.toString('latin1')
  } catch (error) {
    if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) return undefined
    throw error
  }
}

/** Whether a directory with these entries is the checkout of a repository, or may be the remains of one. */
export function isInnerRepository(directory: Buffer, entries: readonly fs.Dirent[]): boolean {
  const own = entries.find(({ name }) => name === '.git')
  return own !== undefined && gitDirectoryOf(directory.toString(), own) !== undefined
}

/**
 * The git directory of the checkout at `place`, given its entry `.git`; undefined when the entry is empty, or names a
 * place where nothing is.
 */
export function gitDirectoryOf(place: string, entry: fs.Dirent): string | undefined {
  const own = path.join(place, '.git')
  try {
    if (!entry.isFile()) return fs.readdirSync(own).length > 0 ? own : undefined
    const link = /^gitdir: (.+?)\s*$/.exec(readCharacters(own) ?? '')?.[1]
    const linked = link === undefined ? undefined : path.resolve(place, link)
    return linked !== undefined && fs.existsSync(linked) ? linked : undefined
  } catch (error) {
    // A link to nowhere, or a name in no encoding. For directories that cannot be read, see readEntries().
    return codeOf(error) === 'ENOENT' ? undefined : own
  }
}

/** Whether git accepts the directory as a repository, or as the entry of a worktree in one. */
export function isGitDirectory(directory: string): boolean {
  return fs.existsSync(path.join(directory, 'commondir')) || isRepository(directory)
}
