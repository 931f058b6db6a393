/**
 * The env files with the variables for agents: `export NAME="value"` lines and comments, in shell syntax but never run
 * by a shell. This module is also part of the plugin inside opencode: plain JavaScript and node:fs only.
 */
import * as path from 'node:path'
import { KugetsuError } from '../core/errors.ts'
import { NotUnderstood, quotedPiece } from '../core/shell-quotes.ts'
import { readLog } from '../platform/files.ts'

/** Limited, because the files are read before every command of every agent. */
const longestBytes = 1_000_000

/** The kinds of agents that have variables of their own. */
export type AgentKind = 'dev' | 'pm-agent'

export interface EnvFile {
  values: Map<string, string>
  /** What was not understood, each with its line number and without any value. */
  warnings: string[]
}

interface Assignment {
  name: string
  value: string
}

/** An independent part of the file: one line, or several when a value spans them. */
interface Statement {
  start: number
  end: number
  assignments: Assignment[]
}

/** Reads the text of an env file as a shell would, but expands nothing and executes nothing. */
export function parseEnv(text: string): EnvFile {
  const warnings: string[] = []
  const values = new Map<string, string>()
  for (const statement of statementsOf(text, warnings)) {
    for (const { name, value } of statement.assignments) values.set(name, value)
  }
  return { values, warnings }
}

/**
 * A value in double quotes as it stands after `export NAME=`: a shell and parseEnv read the same value back.
 * Throws KugetsuError for a value with a NUL, which no variable can hold.
 */
export function formatValue(value: string): string {
  if (value.includes('\0')) throw new KugetsuError('a variable cannot hold a NUL character', { code: 'bad_value' })
  return `"${value.replace(/["\\$`]/g, '\\$&')}"`
}

/**
 * The text of an env file with the variable set, in its old place if it has one; everything else is kept.
 * Throws KugetsuError when no variable can have that name, or when an unfinished line elsewhere would swallow it.
 */
export function setVariable(text: string, name: string, value: string): string {
  if (!isVariableName(name)) {
    throw new KugetsuError(`'${name}' cannot be the name of a variable`, {
      hint: 'Use letters, digits and underscores, and do not begin with a digit.',
      code: 'bad_name',
    })
  }
  const result = withLine(text, name, `export ${name}=${formatValue(value)}\n`)
  const before = parseEnv(text)
  const after = parseEnv(result).values
  const expected = new Map(before.values).set(name, value)
  if (after.size === expected.size && [...expected].every(([each, its]) => after.get(each) === its)) return result
  throw new KugetsuError(`${name} cannot be added: a line of the file leaves a quote open or ends in a backslash`, {
    hint: `Fix the file first: ${before.warnings[0] ?? 'look at its last lines'}`,
    code: 'bad_env_file',
  })
}

function withLine(text: string, name: string, line: string): string {
  const statement = statementsOf(text, []).findLast((one) => one.assignments.some((each) => each.name === name))
  if (statement === undefined) {
    const before = text === '' || text.endsWith('\n') ? text : `${text}\n`
    const standsAlone = statementsOf(before + line, []).some(({ start }) => start === before.length)
    // A backslash at the end of the last line would join the new line to it.
    return `${before}${standsAlone ? '' : '\n'}${line}`
  }
  return replaced(text, statement, linesOf(statement.assignments.filter((each) => each.name !== name)) + line)
}

/** The text of an env file without the variable; everything else is kept. */
export function removeVariable(text: string, name: string): string {
  let result = text
  for (const statement of statementsOf(text, []).reverse()) {
    const others = statement.assignments.filter((each) => each.name !== name)
    if (others.length < statement.assignments.length) result = replaced(result, statement, linesOf(others))
  }
  return result
}

/** Whether a variable can have this name. */
export function isVariableName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
}

/**
 * The variables of an agent, read now: default.env, overridden by the agent's own file. A missing file counts as empty.
 * Throws KugetsuError when an existing file cannot be read.
 */
export function agentVariables(envDirectory: string, agent: AgentKind): Record<string, string> {
  const merged = [...fileVariables(envDirectory, 'default'), ...fileVariables(envDirectory, agent)]
  return Object.fromEntries(merged)
}

/** What `init` puts into env/default.env: an explanation, no variables. */
export const defaultEnvTemplate = `# Variables for every agent. Each line: export NAME="value"
# Nothing here is executed, and $NAME is not expanded. Changes hold from an agent's next command on.
# 'kugetsu env set NAME - default' writes here; 'kugetsu env show default' shows it with secrets masked.
# git logs in to your servers with these tokens where you have no credential helper of your own.
#
# export GITEA_TOKEN="..."
# export GITHUB_TOKEN="..."
# export GITLAB_TOKEN="..."
`

/** What `init` puts into env/pm-agent.env. */
export const pmAgentEnvTemplate = `# Variables for the PM agent alone; they win over those in default.env.
# It only reads issues and pull requests: a token that cannot write is enough.
`

/** What `init` puts into env/dev.env. */
export const devEnvTemplate = `# Variables for the agents that work on issues; they win over those in default.env.
# A token here needs to read issues, push branches, comment, and open pull requests.
`

/** The variables of one file, by its name without `.env`. Throws as agentVariables does. */
export function fileVariables(envDirectory: string, name: string): Map<string, string> {
  // One broken character must not cost an agent all of its variables.
  return parseEnv(readLog(path.join(envDirectory, `${name}.env`), longestBytes) ?? '').values
}

function linesOf(assignments: Assignment[]): string {
  return assignments.map(({ name, value }) => `export ${name}=${formatValue(value)}\n`).join('')
}

function replaced(text: string, { start, end }: Statement, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end)
}

function statementsOf(text: string, warnings: string[]): Statement[] {
  const statements: Statement[] = []
  let position = 0
  let line = 1
  while (position < text.length) {
    const outcome = readStatement(text, position)
    if (outcome.problem !== undefined) warnings.push(`line ${line}: ${outcome.problem}`)
    statements.push({ start: position, end: outcome.end, assignments: outcome.assignments })
    line += text.slice(position, outcome.end).split('\n').length - 1
    position = outcome.end
  }
  return statements
}

interface Outcome {
  end: number
  assignments: Assignment[]
  problem?: string
}

/** Reads from the start of a line to the end of the last line that belongs to it. */
function readStatement(text: string, start: number): Outcome {
  const lineEnd = afterLine(text, start)
  const assignments: Assignment[] = []
  let problem: string | undefined
  let position = skipBlanks(text, start)
  for (;;) {
    position = skipBlanks(text, position)
    const character = text[position]
    if (character === undefined || character === '\n' || character === '#') {
      const end = afterLine(text, position)
      return problem === undefined ? { end, assignments } : { end, assignments, problem }
    }
    if (character === ';') {
      position++
      continue
    }
    const word = /^export(?=[ \t;\r\n]|$)/.exec(text.slice(position, position + 7))
    if (word !== null) {
      position += 'export'.length
      continue
    }
    const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(position, lineEndFrom(text, position)))?.[0]
    const after = position + (name?.length ?? 0)
    if (name !== undefined && text[after] === '=') {
      const value = readValue(text, after + 1)
      if ('problem' in value) return { end: lineEnd, assignments: [], problem: value.problem }
      assignments.push({ name, value: value.text })
      problem ??= value.unexpanded
        ? `${name} holds a $, \` or ~ that a shell would expand; it is used unchanged`
        : undefined
      position = value.end
      continue
    }
    // `export NAME` alone exports an existing variable, so it sets nothing here.
    if (name !== undefined && assignments.length === 0 && /^\s*export\s/.test(text.slice(start, position))) {
      if (/^[ \t\r]*(?:[;#\n]|$)/.test(text.slice(after, afterLine(text, after)))) {
        position = after
        continue
      }
    }
    return { end: lineEnd, assignments: [], problem: 'not an assignment (export NAME="value"); the line is ignored' }
  }
}

type Value = { text: string; end: number; unexpanded: boolean } | { problem: string }

/** One word of a shell from `start` on: plain, quoted and escaped pieces side by side. */
function readValue(text: string, start: number): Value {
  let value = ''
  let position = start
  let unexpanded = text[start] === '~'
  const asItStands = (at: number) => {
    unexpanded ||= expands(text, at)
    return { value: text.charAt(at), end: at + 1 }
  }
  try {
    for (;;) {
      const character = text[position]
      if (character === undefined || /[\s;]/.test(character)) return { text: value, end: position, unexpanded }
      if (/[&|<>()]/.test(character)) throw new NotUnderstood(`an unquoted ${character}`)
      if (text.startsWith("$'", position)) throw new NotUnderstood("$'…' quoting is not understood")
      const standsForItself = text.slice(position) === '\\'
      const piece = (standsForItself ? undefined : quotedPiece(text, position, asItStands)) ?? asItStands(position)
      value += piece.value
      position = piece.end
    }
  } catch (error) {
    if (error instanceof NotUnderstood) return { problem: `${error.message}; the line is ignored` }
    throw error
  }
}

function expands(text: string, position: number): boolean {
  return text[position] === '`' || (text[position] === '$' && /[A-Za-z0-9_{(?$!#@*-]/.test(text[position + 1] ?? ''))
}

function skipBlanks(text: string, start: number): number {
  let position = start
  for (;;) {
    const character = text[position]
    if (character === '\\' && text[position + 1] === '\n') position += 2
    else if (character === ' ' || character === '\t' || character === '\r') position++
    else return position
  }
}

function lineEndFrom(text: string, position: number): number {
  const end = text.indexOf('\n', position)
  return end === -1 ? text.length : end
}

function afterLine(text: string, position: number): number {
  return Math.min(lineEndFrom(text, position) + 1, text.length)
}
