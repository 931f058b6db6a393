/** How the text of a setting is read. Read on every call, so no zod here. */
import * as path from 'node:path'
import { startOf } from '../core/columns.ts'
import { isInstance } from '../core/issue-ref.ts'
import { KugetsuError } from '../core/errors.ts'

/** The text of a setting and where it comes from. */
export interface Given {
  name: string
  text: string
  origin: string
}

/** Reads the text; `userHome` is for `~`. Throws KugetsuError `bad_setting`. */
export type Reader<T> = (given: Given, userHome: string) => T

export const fromEnvironment = 'the environment'
export const fromCommandLine = 'the command line'

export function wholeNumber({ from, to }: { from: number; to: number }): Reader<number> {
  return (given) => {
    const value = /^\d{1,9}$/.test(given.text) ? Number(given.text) : NaN
    if (value >= from && value <= to) return value
    throw senseless(given, `a whole number from ${from} to ${to}`)
  }
}

export function positive(most: number): Reader<number> {
  return (given) => {
    const value = decimal(given.text)
    if (value > 0 && value <= most) return value
    throw senseless(given, `a number above 0 and up to ${most}, such as 1 or 0.5`)
  }
}

export function zeroOrMore(most: number): Reader<number> {
  return (given) => {
    const value = decimal(given.text)
    if (value <= most) return value
    throw senseless(given, `a number from 0 to ${most}, such as 1 or 0.5`)
  }
}

function decimal(text: string): number {
  return /^(\d{1,9}(\.\d{0,9})?|\.\d{1,9})$/.test(text) ? Number(text) : NaN
}

export function oneOf<T extends string>(...allowed: readonly T[]): Reader<T> {
  return (given) => {
    const found = allowed.find((word) => word === given.text.toLowerCase())
    if (found !== undefined) return found
    throw senseless(given, `${allowed.slice(0, -1).join(', ')} or ${allowed.at(-1)}`)
  }
}

export const yesOrNo: Reader<boolean> = (given) => {
  const text = given.text.toLowerCase()
  if (['true', 'yes', 'on', '1'].includes(text)) return true
  if (['false', 'no', 'off', '0'].includes(text)) return false
  throw senseless(given, 'true or false')
}

export const directory: Reader<string> = (given, userHome) => {
  // The shell leaves a quoted ~ as it is; no person means a directory of that name.
  const expanded = given.text.replace(/^~(?=\/|$)/, () => userHome)
  if (path.isAbsolute(expanded) && !hasControls(expanded)) return path.normalize(expanded)
  throw senseless(given, 'an absolute path, or one that begins with ~/')
}

/** Git's own rules for branch names. Also refuses names that git could take for an option. */
export const branch: Reader<string | undefined> = (given) => {
  if (given.text === '') return undefined
  const parts = given.text.split('/')
  const isSound = (part: string) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock')
  const hasForbidden = /[\s~^:?*[\\]|\.\.|@\{|\.$|^-|^@$/.test(given.text) || hasControls(given.text)
  if (!hasForbidden && given.text.length <= 200 && parts.every(isSound)) return given.text
  throw senseless(given, 'the name of a branch, such as main')
}

/** Ids as in https://models.dev, separated by commas or spaces. */
export const providers: Reader<readonly string[] | 'connected' | 'all'> = (given) => {
  if (given.text === 'connected' || given.text === 'all') return given.text
  const ids = given.text.split(/[\s,]+/).filter((id) => id !== '')
  const isId = (id: string) => /^[a-z0-9][\w.-]{0,99}$/i.test(id) && id !== 'connected' && id !== 'all'
  if (ids.length > 0 && ids.every(isId)) return [...new Set(ids)]
  throw senseless(given, 'connected, all, or ids of model providers, such as anthropic,openai')
}

export const gitServer: Reader<string> = (given) => {
  if (isInstance(given.text)) return given.text.toLowerCase()
  throw senseless(given, 'the name or host of a git server, such as github.com')
}

/** Control characters as in Unicode's \p{Cc}. A pattern with that name takes a tenth of a millisecond to make. */
function hasControls(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return /[\0-\x1f\x7f-\x9f]/.test(text)
}

function senseless(given: Given, allowed: string): KugetsuError {
  const shown = given.text.length > 60 ? `${startOf(given.text, 57)}...` : given.text
  const message = `${given.name} is ${JSON.stringify(shown)} (from ${given.origin}), but must be ${allowed}`
  const hints: Record<string, string> = {
    [fromEnvironment]: `Correct or unset ${given.name}.`,
    [fromCommandLine]: 'Nothing was changed.',
  }
  return new KugetsuError(message, {
    code: 'bad_setting',
    hint: hints[given.origin] ?? `Correct it in ${given.origin}.`,
  })
}
