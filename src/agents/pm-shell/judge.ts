/**
 * Judges a call of the PM agent's shell by its words, against allowed.ts. The files that it reads are checked when it is
 * run (room.ts). Part of the plugin inside opencode: plain JavaScript only.
 */
import { NotUnderstood } from '../../core/shell-quotes.ts'
import { readCommand, type Call, type Pipeline } from '../../core/shell-words.ts'
import { allowed, programs } from './allowed.ts'
import { repository, type Allowed } from './rules.ts'

/** A call that the PM agent may make, once its files have been checked. */
export interface Judged extends Call {
  program: string
  /** The words of the subcommand, without the program; `rest` has the words after them. */
  subcommand: string[]
  rest: string[]
  /** The files that it reads, as they were written. */
  files: string[]
  /** Whether it reads everything below a directory. */
  recursive: boolean
}

export interface JudgedPipeline extends Pipeline {
  calls: Judged[]
}

class Refused extends Error {}

/** The calls of a command, or a sentence for its writer that says why none of it is run. */
export function judge(command: string): { pipelines: JudgedPipeline[] } | { problem: string } {
  try {
    return { pipelines: readCommand(command).map(judgePipeline) }
  } catch (error) {
    if (error instanceof NotUnderstood || error instanceof Refused) return { problem: error.message }
    throw error
  }
}

function judgePipeline({ calls, after }: Pipeline): JudgedPipeline {
  const judged = calls.map(judgeCall)
  if (judged.length > 1 && judged.some(({ program }) => program === 'cd')) {
    throw new Refused('"cd" in a pipe changes nothing: put && behind it')
  }
  if (judged.slice(1).some(({ input }) => input !== undefined)) {
    throw new Refused('a call after a pipe reads from the pipe, not from the text after <<')
  }
  return { calls: judged, after }
}

function judgeCall(call: Call): Judged {
  const [program = '', ...rest] = call.words
  if (!programs.includes(program)) {
    throw new Refused(`a command must begin with one of ${programs.join(', ')}, but one begins with ${shown(program)}`)
  }
  const { name, rules, depth } = ruleFor(call.words)
  const { operands, given } = read(rest.slice(depth), rules, name)
  const files = filesOf(name, rules, operands, given, rest.slice(depth))
  const recursive = program === 'grep' && (given.has('-r') || given.has('--recursive'))
  return { ...call, program, subcommand: rest.slice(0, depth), rest: rest.slice(depth), files, recursive }
}

/** The longest name on the list that the words begin with. */
function ruleFor(words: readonly string[]): { name: string; rules: Allowed; depth: number } {
  for (const depth of [2, 1, 0]) {
    const name = words.slice(0, depth + 1).join(' ')
    const rules = words.length > depth ? allowed.get(name) : undefined
    if (rules !== undefined) {
      // A word without a dash would be another subcommand.
      const next = words[depth + 1]
      const isSubcommand = rules.operands === 'none' && next !== undefined && !next.startsWith('-')
      const isNumber = /^tea (?:issues|pulls)$/.test(name) && /^\d+$/.test(next ?? '')
      if (!isSubcommand || isNumber) return { name, rules, depth: isNumber ? depth + 1 : depth }
    }
  }
  throw new Refused(
    `${shown(words.slice(0, 3).join(' '))} is not one of your commands; use those of your instructions, in plain form`,
  )
}

/** Tells options from the other words, as the program will. */
function read(words: readonly string[], rules: Allowed, name: string): { operands: string[]; given: Set<string> } {
  const operands: string[] = []
  const given = new Set<string>()
  let isOver = false
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (isOver || word === '-' || !word.startsWith('-')) {
      operands.push(word)
      continue
    }
    if (word === '--' && !name.startsWith('jq')) {
      isOver = true
      if (name.startsWith('git ')) operands.push(word)
      continue
    }
    if (rules.flags.has(word) || (rules.counts && /^-\d+$/.test(word))) {
      given.add(word)
      continue
    }
    const [, option = word, attached] = /^(--[^=]+)=([^]*)$/.exec(word) ?? /^(-[^-])([^]+)$/.exec(word) ?? []
    const pattern = rules.values.get(option)
    if (pattern !== undefined) {
      const value = attached ?? (rules.joined ? undefined : words[++at])
      if (value === undefined || !pattern.test(value) || (attached === undefined && /^-(?!\d+$)/.test(value))) {
        throw new Refused(
          `${shown(option)} of ${name} cannot be ${value === undefined ? 'without a value' : shown(value)}`,
        )
      }
      given.add(option)
      if (option === '-q' || option === '--jq') refuseInJq(value)
      continue
    }
    const bundled = /^-[A-Za-z]{2,}$/.test(word)
      ? word
          .slice(1)
          .split('')
          .map((letter) => `-${letter}`)
      : []
    if (rules.bundles && bundled.length > 0 && bundled.every((each) => rules.flags.has(each))) {
      bundled.forEach((each) => given.add(each))
      continue
    }
    throw new Refused(`${shown(word)} is not an option of ${name} that you may use`)
  }
  return { operands, given }
}

/** The words that are files, to be checked before the call is made. Throws if one of the other words is not allowed. */
function filesOf(name: string, rules: Allowed, operands: string[], given: Set<string>, words: string[]): string[] {
  const files = (from: number) => operands.slice(from).filter((each) => each !== '-')
  switch (rules.operands) {
    case 'none':
      if (operands.length > 0) throw new Refused(`${shown(operands[0] ?? '')} is one word too many for ${name}`)
      return []
    case 'any':
      if (name === 'kugetsu destroy' && operands.length === 0 && !given.has('--help') && !given.has('-h')) {
        throw new Refused('kugetsu destroy must name an issue')
      }
      return []
    case 'revisions':
      // With a path outside the repository git would compare files of the disk.
      if (operands.includes('-')) throw new Refused(`${name} takes no "-"`)
      return words.filter((word) => !word.startsWith('-'))
    case 'branches': {
      const lists = ['--list', '--merged', '--no-merged', '--contains', '--no-contains', '--points-at']
      if (operands.length > 0 && !lists.some((each) => given.has(each))) {
        throw new Refused('git branch with a name makes a branch; to look for one: git branch --list <name>')
      }
      return []
    }
    case 'names':
      for (const each of operands) {
        if (/^https:\/\/(?:github|gitlab)\.com\/[\w./-]+$/.test(each) || /^[\w./#-]*$/.test(each)) continue
        throw new Refused(`${shown(each)} is neither a number nor a name`)
      }
      return []
    case 'repository':
      for (const each of operands)
        if (!repository.test(each)) throw new Refused(`${shown(each)} is not owner/repository`)
      return []
    case 'files':
      if (name === 'cd' && (operands.length !== 1 || files(0).length !== 1))
        throw new Refused('"cd" takes one directory')
      return files(0)
    case 'pattern, files':
      return files(given.has('-e') || given.has('--regexp') ? 0 : 1)
    case 'jq program, files':
      refuseInJq(operands[0] ?? '')
      return files(1)
  }
}

/** A program for jq could read the environment, which has tokens, and modules. */
function refuseInJq(program: string): void {
  const found = /\b(?:env|ENV|import|include|modulemeta|get_search_list|input_filename|__prog_args)\b/.exec(program)
  if (found !== null) throw new Refused(`"${found[0]}" is refused in a program for jq`)
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
