/**
 * `~/.kugetsu/config`: the assignments of a shell file, read as data. The bash tool sourced this file, so its quotes,
 * expansions and server table are understood. Nothing in it is ever run.
 */
import { startOf } from '../core/columns.ts'
import { KugetsuError } from '../core/errors.ts'
import { NotUnderstood, quotedPiece } from '../core/shell-quotes.ts'
import { readText } from '../platform/files.ts'
import { ConfigReader } from './config-reader.ts'

export interface ConfigFile {
  values: Map<string, string>
  /** The line each value was given on, from 1. */
  lines: Map<string, number>
  /** GIT_SERVERS: name to URL. */
  servers: Map<string, string>
  /** Ignored statements, each with the reason. */
  warnings: { line: number; text: string }[]
}

type Variables = Readonly<Record<string, string | undefined>>

const longestValue = 65536
const longestFile = 1_000_000
const mostWarnings = 10
const deepestNesting = 20
const namePattern = /[A-Za-z_][A-Za-z0-9_]*/y
const serverTable = 'GIT_SERVERS'

/** Reads the file at `file`; an empty one when there is none. Throws KugetsuError when it cannot be read. */
export function readConfig(file: string, variables: Variables): ConfigFile {
  const text = readText(file) ?? ''
  if (text.length <= longestFile) return parseConfig(text, variables)
  throw new KugetsuError(`${file} is far too long for a config file`, {
    hint: 'Move it away; "kugetsu init" writes a new one.',
    code: 'unreadable',
  })
}

/**
 * Parses the text of a config file. `variables` gives `$NAME` its meaning until the file itself sets it. `statements` gets
 * what was understood, by its place in normalised(). Never throws: a statement not understood becomes a warning and
 * changes nothing.
 */
export function parseConfig(text: string, variables: Variables = {}, statements: Statement[] = []): ConfigFile {
  const config: ConfigFile = { values: new Map(), lines: new Map(), servers: new Map(), warnings: [] }
  const reader = new ConfigReader(normalised(text))
  while (reader.skipToStatement()) {
    const start = reader.at
    const line = reader.line()
    const pending: Assignment[] = []
    const known = (name: string) => pending.findLast((one) => one.name === name && one.key === undefined)?.value
    try {
      readStatement(reader, pending, (name) => known(name) ?? config.values.get(name) ?? variables[name])
      for (const one of pending) assign(config, one, line)
      statements.push({ start, assignments: pending })
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error
      config.warnings.push({ line, text: `${error.message}; ignored` })
      if (!reader.skipOpenList(start)) reader.at = start
      reader.skipLine()
    }
  }
  const left = config.warnings.length - mostWarnings
  const next = config.warnings[mostWarnings]
  if (left > 1 && next !== undefined) {
    config.warnings.splice(mostWarnings, left, { line: next.line, text: `and ${left} more from here on, all ignored` })
  }
  return config
}

/** The text as it is parsed: without a byte order mark, with the line ends of Unix. */
export function normalised(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n')
}

/** Places are offsets in normalised(). */
export interface Statement {
  start: number
  assignments: readonly Assignment[]
}

export interface Assignment {
  name: string
  /** The key, when it sets an entry of a table. */
  key: string | undefined
  value: string
  /** Where the name begins, or the entry of a table; where the value begins and ends. */
  start: number
  from: number
  to: number
}

type Lookup = (name: string) => string | undefined

function assign(config: ConfigFile, { name, key, value }: Assignment, line: number): void {
  if (key !== undefined) {
    config.servers.set(key, value)
    return
  }
  config.values.set(name, value)
  config.lines.set(name, line)
}

/** Reads assignments up to the end of the statement into `found`. */
function readStatement(reader: ConfigReader, found: Assignment[], lookup: Lookup): void {
  const first = reader.peekWord()
  const isDeclaration = first === 'declare' || first === 'typeset'
  if (isDeclaration || first === 'export') {
    reader.at += first.length
    reader.skipBlanks()
    while (isDeclaration && reader.take(/-[A-Za-z]+/y) !== undefined) reader.skipBlanks()
  }
  const mayBeBare = isDeclaration || first === 'export'
  do {
    const start = reader.at
    const name = reader.take(namePattern)
    if (name === undefined) throw notAnAssignment(reader)
    if (mayBeBare && /^[\s;]?$/.test(reader.text[reader.at] ?? '')) continue
    readAssignment(reader, { name, start }, found, lookup)
  } while (!reader.skipBlanks().ended())
}

function readAssignment(
  reader: ConfigReader,
  { name, start }: Pick<Assignment, 'name' | 'start'>,
  found: Assignment[],
  lookup: Lookup,
): void {
  if (reader.skipIntoList('=(')) {
    if (name !== serverTable) throw new NotUnderstood(`${name} is a list, and only ${serverTable} may be one`)
    while (!reader.skipSpace().skip(')')) {
      if (!reader.skip('[')) throw new NotUnderstood(`${name} has an entry that is not ["name"]="url"`)
      found.push(readEntry(reader, name, lookup))
    }
  } else if (reader.skip('[')) {
    if (name !== serverTable) throw new NotUnderstood(`${name} is a list, and only ${serverTable} may be one`)
    found.push(readEntry(reader, name, lookup))
  } else if (reader.skip('=')) {
    const from = reader.at
    const value = readWord(reader, lookup, { until: '', tilde: true })
    found.push({ name, key: undefined, value, start, from, to: reader.at })
  } else {
    throw new NotUnderstood(`"${name}" is not an assignment`)
  }
}

function readEntry(reader: ConfigReader, name: string, lookup: Lookup): Assignment {
  const start = reader.at
  const key = readWord(reader, lookup, { until: ']', tilde: false })
  if (!reader.skip(']=') || key === '') throw new NotUnderstood(`${name} has an entry that is not ["name"]="url"`)
  const from = reader.at
  return { name, key, value: readWord(reader, lookup, { until: ')', tilde: false }), start, from, to: reader.at }
}

interface WordOptions {
  /** A character other than white space and `;` that ends the word. */
  until: string
  /** `~` at its beginning stands for the home. */
  tilde: boolean
  /** Inside `${NAME:-…}`, where only the closing brace ends it. */
  nested?: { quoted: boolean; depth: number }
}

function readWord(reader: ConfigReader, lookup: Lookup, options: WordOptions): string {
  const { nested } = options
  let value = ''
  if (options.tilde && reader.take(/~(?=[/\s;]|$)/y) !== undefined) value = lookup('HOME') ?? '~'
  for (;;) {
    const next = reader.text[reader.at]
    if (next === undefined) {
      if (nested !== undefined) throw new NotUnderstood('a ${ is never closed')
      return value
    }
    if (options.until !== '' && next === options.until) return value
    if (nested === undefined && /[\s;]/.test(next)) return value
    value += readPiece(reader, lookup, nested?.quoted ?? false, nested?.depth ?? 0)
    if (value.length > longestValue) throw new NotUnderstood('a value is too long')
  }
}

/** One piece of a word: a quoted part, an expansion, an escape, or one character. */
function readPiece(reader: ConfigReader, lookup: Lookup, quoted: boolean, depth: number): string {
  // In the default of an expansion within double quotes, `'` is a plain character and `\` has rules of its own.
  const mayBeQuote = !quoted || reader.text[reader.at] === '"'
  return (mayBeQuote ? readQuoted(reader, lookup, depth) : undefined) ?? readUnquoted(reader, lookup, quoted, depth)
}

function readQuoted(reader: ConfigReader, lookup: Lookup, depth: number): string | undefined {
  if (reader.text.length === reader.at + 1 && reader.skip('\\')) return '\\'
  let expanded = 0
  const piece = quotedPiece(reader.text, reader.at, (at) => {
    reader.at = at
    const value = readUnquoted(reader, lookup, true, depth)
    expanded += value.length
    if (expanded > longestValue) throw new NotUnderstood('a value is too long')
    return { value, end: reader.at }
  })
  if (piece !== undefined) reader.at = piece.end
  return piece?.value
}

function readUnquoted(reader: ConfigReader, lookup: Lookup, quoted: boolean, depth: number): string {
  const next = reader.text[reader.at++] ?? ''
  if (next === '\\') return readEscape(reader)
  if (next === '$') return readExpansion(reader, lookup, quoted, depth)
  if (next === '`') throw new NotUnderstood('commands are not run here')
  if (!quoted && '&|<>()'.includes(next)) throw new NotUnderstood(`"${next}" outside of quotes`)
  return next
}

/** A backslash in the default of an expansion in double quotes. */
function readEscape(reader: ConfigReader): string {
  const escaped = reader.text[reader.at++] ?? ''
  if (escaped === '\n') return ''
  return '$`"\\}'.includes(escaped) ? escaped : `\\${escaped}`
}

/** What follows a `$`. */
function readExpansion(reader: ConfigReader, lookup: Lookup, quoted: boolean, depth: number): string {
  if (reader.skip('(')) throw new NotUnderstood('commands are not run here')
  const name = reader.take(namePattern)
  if (name !== undefined) return valueOf(name, lookup)
  if (!reader.skip('{')) {
    if (/[0-9?$!@*#'-]/.test(reader.text[reader.at] ?? '') && !quoted) throw new NotUnderstood('an unknown use of $')
    return '$'
  }
  if (depth >= deepestNesting) throw new NotUnderstood('${ is nested too deeply')
  const inner = reader.take(namePattern)
  if (inner === undefined) throw new NotUnderstood('a ${ without a name')
  if (reader.skip('}')) return valueOf(inner, lookup)
  const emptyCounts = reader.skip(':-')
  if (!emptyCounts && !reader.skip('-'))
    throw new NotUnderstood(`only \${${inner}} and \${${inner}:-default} are known`)
  const fallback = readWord(reader, lookup, { until: '}', tilde: !quoted, nested: { quoted, depth: depth + 1 } })
  reader.at++
  const value = lookup(inner)
  return value === undefined || (emptyCounts && value === '') ? fallback : value
}

function valueOf(name: string, lookup: Lookup): string {
  const value = lookup(name)
  if (value === undefined) throw new NotUnderstood(`$${name} is not set`)
  return value
}

function notAnAssignment(reader: ConfigReader): NotUnderstood {
  // Shows at most one word of it: a line can hold a secret.
  return new NotUnderstood(`"${startOf(reader.peekWord(), 20)}" is not an assignment`)
}
