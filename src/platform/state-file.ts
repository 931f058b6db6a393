/** Reads state in JSON. An unreadable file is set aside under another name, never overwritten. */
import * as fs from 'node:fs'
import { isNoText, readText, setAside } from './files.ts'

/** Deeper than any file of ours, and shallow enough for recursive code. */
const deepest = 200

export type StateFile<T> =
  | { kind: 'absent' }
  | { kind: 'read'; value: T }
  /** `aside` is its new name, undefined when it could not be moved; `reason` quotes nothing of its content. */
  | { kind: 'spoiled'; aside: string | undefined; reason: string }

/**
 * Reads the JSON file at `file`. `check` returns its value in the form it is used in; it returns undefined or throws when
 * the value has another form. Without `now` a spoiled file stays where it is. Throws KugetsuError `unreadable` when the file
 * cannot be read, which says nothing about what is in it.
 */
export function readState<T>(
  file: string,
  check: (value: unknown) => T | undefined,
  now: Date | undefined,
  longestBytes?: number,
): StateFile<T> {
  const before = look(file)
  if (before === undefined) return { kind: 'absent' }
  let reason: string
  try {
    const text = readText(file, longestBytes)
    if (text === undefined && !before.isSymbolicLink()) return { kind: 'absent' } // removed meanwhile by another process
    const value = text === undefined ? undefined : parseJson(text)
    if (value !== undefined) {
      try {
        const checked = check(value)
        if (checked !== undefined) return { kind: 'read', value: checked }
      } catch {
        // reported below
      }
      reason = 'it does not have the expected form'
    } else reason = text === undefined ? 'it is a link to nowhere' : 'it is not JSON'
  } catch (error) {
    if (!isNoText(error)) throw error
    reason = (error as Error).message.replace(/^.*?: (?=it )/, '')
  }
  // Another process may have found the same and put a good file in its place by now.
  const after = look(file)
  const same = after?.ino === before.ino && after.mtimeMs === before.mtimeMs
  return { kind: 'spoiled', aside: same && now !== undefined ? setAside(file, now) : undefined, reason }
}

/** Undefined also when a part of the path is not a directory, as in readText: there is no such file then. */
function look(file: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** The value of a JSON text; undefined when it is not JSON, or so deep that it could not be written again. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return mayBeDeep(text) && depthOf(text) > deepest ? undefined : value
  } catch {
    return undefined
  }
}

/** Far quicker than looking at every character: a text with no more brackets than `deepest` in all cannot be deep. */
function mayBeDeep(text: string): boolean {
  let left = deepest
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) if (--left < 0) return true
  }
  return false
}

/** How deep lists and objects are nested, in a JSON text. Brackets inside strings do not count. */
function depthOf(text: string): number {
  let depth = 0
  let most = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"') inString = !inString
    else if (inString) at += character === '\\' ? 1 : 0
    else if (character === '[' || character === '{') most = Math.max(most, ++depth)
    else if (character === ']' || character === '}') depth--
  }
  return most
}
