/**
 * Names of files as Linux and git see them: bytes, any but NUL and `/`. A JavaScript string cannot hold all of them
 * (decoding replaces what is not UTF-8), so here a name is a string with one character for each byte.
 */
import { isUtf8 } from 'node:buffer'
import * as fs from 'node:fs'

declare const oneCharacterForEachByte: unique symbol

/**
 * A name, or a path of several, with one character for each byte (latin1). It can be compared, and can be a key of a map. To
 * the compiler it is not a `string`, because path.join and fs would treat it as text; see placeIn.
 */
export interface ByteName {
  readonly [oneCharacterForEachByte]: never
  readonly length: number
}

/** The name that a text (in UTF-8) or bytes stand for. */
export function byteName(from: string | Buffer): ByteName {
  return nameIn((typeof from === 'string' ? Buffer.from(from) : from).toString('latin1'))
}

/** A name from text that has one character for each byte, as runGitForBytes() returns it. */
export function nameIn(text: string): ByteName {
  return text as unknown as ByteName
}

/** The names in such text, each ending in NUL, as after `-z`. */
export function namesIn(text: string): ByteName[] {
  return text
    .split('\0')
    .filter((name) => name !== '')
    .map(nameIn)
}

/** The text with one character for each byte, for looking at parts of it. Not for display, and not a path. */
export function charactersOf(name: ByteName): string {
  return name as unknown as string
}

/** The bytes of a name, which all of `fs` accepts as a path. */
export function bytesOf(name: ByteName): Buffer {
  return Buffer.from(charactersOf(name), 'latin1')
}

/** The path of `name` inside a directory, for `fs`. */
export function placeIn(directory: string | Buffer, name: ByteName): Buffer {
  return Buffer.concat([typeof directory === 'string' ? Buffer.from(directory) : directory, slash, bytesOf(name)])
}

const slash = Buffer.from('/')

/** The names in a directory, unsorted. Throws the system's error. */
export function listNames(directory: string | Buffer): ByteName[] {
  return fs.readdirSync(directory, { encoding: 'buffer' }).map(byteName)
}

/** Writes names into a file as `--pathspec-from-file` with `--pathspec-file-nul` reads them. Throws the system's error. */
export function writeNames(file: string, names: readonly ByteName[]): void {
  fs.writeFileSync(file, names.map((name) => `${charactersOf(name)}\0`).join(''), 'latin1')
}

/** For display: as UTF-8, with each invalid byte as `\xe9`. Must still be made safe to print (core/plain-text.ts). */
export function displayName(name: ByteName): string {
  const bytes = bytesOf(name)
  if (isUtf8(bytes)) return bytes.toString('utf8')
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const length = lengths.find((each) => at + each <= bytes.length && isUtf8(bytes.subarray(at, at + each)))
    text +=
      length === undefined
        ? `\\x${bytes.subarray(at, at + 1).toString('hex')}`
        : bytes.toString('utf8', at, at + length)
    at += length ?? 1
  }
  return text
}

/** How many bytes a character can have in UTF-8. */
const lengths = [1, 2, 3, 4]
