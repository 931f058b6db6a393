/** Changes one setting in the text of a config file. Comments, order, line ends and all other statements stay as they are. */
import * as fs from 'node:fs'
import { KugetsuError } from '../core/errors.ts'
import { ensureDirectory, readText, writeAtomic } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { type ConfigFile, normalised, parseConfig, readConfig, type Statement } from './config-file.ts'
import type { Paths } from './paths.ts'
import { defaultConfigText } from './settings.ts'

export interface ConfigHome {
  paths: Pick<Paths, 'home' | 'config' | 'lock'>
  env: NodeJS.ProcessEnv
  userHome: string
  signal?: AbortSignal | undefined
}

const lockTimeoutMs = 60_000

/**
 * Sets `name` to `value` in the config file, or removes it from the file (undefined). Returns whether that changed the file,
 * which only its owner can read afterwards. Throws KugetsuError `unreadable`, or `config_unclear` when a line of the file is
 * not understood or another value depends on this one; nothing has changed then.
 */
export async function changeConfig(home: ConfigHome, name: string, value: string | undefined): Promise<boolean> {
  const file = home.paths.config
  ensureDirectory(home.paths.home)
  return exclusively(home.paths.lock('config'), { timeoutMs: lockTimeoutMs, signal: home.signal }, () => {
    const variables = { ...home.env, HOME: home.userHome }
    const [odd] = readConfig(file, variables).warnings
    if (odd !== undefined) {
      throw new KugetsuError(`${file}, line ${odd.line}: ${odd.text.replace(/; ignored$/, '')}`, {
        hint: 'Correct or remove that line first. Nothing was changed.',
        code: 'config_unclear',
      })
    }
    const text = readText(file)
    const before = text ?? defaultConfigText
    const after = value === undefined ? withoutSetting(before, name) : withSetting(before, name, value)
    if (after === before) return false
    requireOnly(parseConfig(before, variables), parseConfig(after, variables), { file, name, value })
    // A link to the file is kept.
    writeAtomic(text === undefined ? file : fs.realpathSync(file), after)
    return true
  })
}

/**
 * The text with the setting: in the place of its last assignment, else after the comment with its default, else at the end.
 */
export function withSetting(text: string, name: string, value: string): string {
  const own = statementsOf(text)
    .flatMap(({ assignments }) => assignments)
    .findLast((each) => each.name === name && each.key === undefined)
  if (own !== undefined) return replaced(text, own.from, own.to, wordOf(value))
  const line = `${name}=${wordOf(value)}\n`
  const plain = normalised(text)
  const comment = [...plain.matchAll(new RegExp(`^#[ \\t]*${name}=.*\\n`, 'gm'))].at(-1)
  if (comment !== undefined) {
    const at = comment.index + comment[0].length
    const inserted = replaced(text, at, at, line)
    // That line may be inside of a value that spans lines.
    if (parseConfig(inserted).values.get(name) === value) return inserted
  }
  const gap = plain === '' || plain.endsWith('\n') ? '' : '\n'
  return replaced(text, plain.length, plain.length, gap + line)
}

/** The text without any assignment of the setting. A comment beside one stays. */
export function withoutSetting(text: string, name: string): string {
  let result = text
  for (const { start, assignments } of statementsOf(text).reverse()) {
    const isOwn = (each: Statement['assignments'][number]) => each.name === name && each.key === undefined
    const last = assignments.at(-1)
    if (last === undefined) continue
    if (assignments.every(isOwn)) result = withoutSpan(result, start, last.to)
    else for (const each of assignments.filter(isOwn).reverse()) result = withoutSpan(result, each.start, each.to)
  }
  return result
}

function statementsOf(text: string): Statement[] {
  const statements: Statement[] = []
  // Whatever a variable is set to, the places are the same.
  parseConfig(text, anyVariable, statements)
  return statements
}

const anyVariable: Record<string, string> = new Proxy({}, { get: () => '' })

/** Removes a span with the blanks and the `;` behind it; its line too, when nothing else is on it. */
function withoutSpan(text: string, from: number, to: number): string {
  const plain = normalised(text)
  const end = to + (/^[ \t]*;?[ \t]*/.exec(plain.slice(to))?.[0].length ?? 0)
  const lineStart = plain.lastIndexOf('\n', from - 1) + 1
  const isFirst = plain.slice(lineStart, from).trim() === ''
  const isLast = plain[end] === '\n' || end === plain.length
  if (isFirst && isLast) return replaced(text, lineStart, Math.min(end + 1, plain.length), '')
  // Before the end of a line, the blanks in front of the span go instead.
  const blanks = isLast ? /[ \t]*$/.exec(plain.slice(lineStart, from))?.[0].length : 0
  return replaced(text, from - (blanks ?? 0), end, '')
}

/** Replaces a span of normalised(text), with the line ends that the text has. */
function replaced(text: string, from: number, to: number, by: string): string {
  const [start, end] = [placeIn(text, from), placeIn(text, to)]
  const inserted = text.includes('\r\n') ? by.replaceAll('\n', '\r\n') : by
  return text.slice(0, start) + inserted + text.slice(end)
}

/** The offset in `text` of an offset in normalised(text). */
function placeIn(text: string, offset: number): number {
  let at = text.startsWith('\uFEFF') ? 1 : 0
  for (let passed = 0; passed < offset; passed++) at += text.startsWith('\r\n', at) ? 2 : 1
  return at
}

/** The value as a word that a shell reads as it is. */
function wordOf(value: string): string {
  return /^[\w.,:/@%+-]+$/.test(value) ? value : `"${value.replace(/["\\$`]/g, '\\$&')}"`
}

/** Throws unless the change is the only one. */
function requireOnly(
  before: ConfigFile,
  after: ConfigFile,
  { file, name, value }: { file: string; name: string; value: string | undefined },
): void {
  const wanted = new Map(before.values)
  if (value === undefined) wanted.delete(name)
  else wanted.set(name, value)
  const other = [...wanted.keys(), ...after.values.keys()].find((each) => wanted.get(each) !== after.values.get(each))
  const server = [...before.servers.keys()].find((each) => before.servers.get(each) !== after.servers.get(each))
  const odd = after.warnings[0]?.line
  if (other === undefined && server === undefined && odd === undefined) return
  const what = other === name ? `${name} cannot be changed` : `${other ?? server ?? `line ${odd}`} depends on ${name}`
  throw new KugetsuError(`${file}: ${what}`, {
    hint: 'Change the file by hand. Nothing was changed.',
    code: 'config_unclear',
  })
}
