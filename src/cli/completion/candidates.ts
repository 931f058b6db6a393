/** Completes the end of a command line, from the definitions of the commands. This module names no command. */
import type { Argument, Command, Option } from 'commander'

export interface Candidate {
  value: string
  /** Shown beside it by shells that can. */
  description?: string | undefined
}

/**
 * The values of an argument: its name as in its command's usage (`issue-ref`), the words of its command (`queue`,
 * `show`), the typed part, and the arguments before it.
 */
export type Values = (
  name: string,
  path: readonly string[],
  typed: string,
  given: readonly string[],
) => Promise<Candidate[]>

/** The candidates for the last of `words`, which is typed only in part. `isHidden`: commands not to offer. */
export async function candidates(
  program: Command,
  words: readonly string[],
  values: Values,
  isHidden: (command: Command) => boolean,
): Promise<Candidate[]> {
  const typed = words.at(-1) ?? ''
  const place = placeOf(program, words.slice(0, -1))
  const found = place === undefined ? [] : await offered(place, typed, values, isHidden)
  return found.filter(({ value }) => value.startsWith(typed) && value !== '')
}

/** How far a command line has come. */
interface Place {
  command: Command
  /** The words that named the command. */
  path: string[]
  /** The arguments that the command has been given. */
  given: string[]
  /** The option that takes the next word as its value. */
  option: Option | undefined
  /** The options that the command has been given, by their long names. */
  used: Set<string>
  /** After `--` nothing is an option. */
  literal: boolean
  /** After `help` come names of commands, and nothing else. */
  help: boolean
}

function placeOf(program: Command, words: readonly string[]): Place | undefined {
  const place: Place = {
    command: program,
    path: [],
    given: [],
    option: undefined,
    used: new Set(),
    literal: false,
    help: false,
  }
  for (const word of words) {
    if (place.option !== undefined) {
      place.option = undefined
    } else if (!place.literal && word === '--') {
      place.literal = true
    } else if (!place.literal && word.startsWith('-') && word !== '-') {
      const option = optionOf(place.command, word.split('=')[0])
      if (option?.long) place.used.add(option.long)
      place.option = option?.required === true && !word.includes('=') ? option : undefined
    } else if (place.path.length === 0 && word === 'help' && !place.help) {
      place.help = true
    } else if (place.given.length === 0 && place.command.commands.length > 0) {
      const next = place.command.commands.find((each) => each.name() === word || each.aliases().includes(word))
      if (next === undefined) return undefined
      place.command = next
      place.path.push(word)
    } else place.given.push(word)
  }
  return place
}

async function offered(
  place: Place,
  typed: string,
  values: Values,
  isHidden: (command: Command) => boolean,
): Promise<Candidate[]> {
  const { command, path, option, used } = place
  if (option !== undefined) return valuesOf(option, option.attributeName(), place, typed, values)
  if (!place.literal && typed.startsWith('-')) {
    const [flag = '', value] = typed.split(/=(.*)/s)
    const known = value === undefined ? undefined : optionOf(command, flag)
    if (known !== undefined && value !== undefined) {
      const found = await valuesOf(known, known.attributeName(), place, value, values)
      return found.map((each) => ({ ...each, value: `${flag}=${each.value}` }))
    }
    const flags = command.options.flatMap(({ long, description, variadic }) =>
      long && (!used.has(long) || variadic) ? [{ value: long, description }] : [],
    )
    return [...flags, { value: '--help', description: 'print help' }]
  }
  if (place.help || (place.given.length === 0 && command.commands.length > 0)) {
    const commands = command.commands.filter((each) => !isHidden(each))
    const named = commands.map((each) => ({ value: each.name(), description: each.description() }))
    const help = { value: 'help', description: 'print help for a command' }
    return path.length === 0 && !place.help ? [...named, help] : named
  }
  const { registeredArguments: given } = command
  const last = given.at(-1)
  // With the message in a flag, each word is an issue.
  if (used.has('--message') && given[0] !== undefined) return valuesOf(given[0], given[0].name(), place, typed, values)
  const argument = given[place.given.length] ?? (last?.variadic === true ? last : undefined)
  return argument === undefined ? [] : valuesOf(argument, argument.name(), place, typed, values)
}

async function valuesOf(
  of: Option | Argument,
  name: string,
  place: Place,
  typed: string,
  values: Values,
): Promise<Candidate[]> {
  return of.argChoices?.map((value) => ({ value })) ?? (await values(name, place.path, typed, place.given))
}

function optionOf(command: Command, flag: string | undefined): Option | undefined {
  return command.options.find(({ short, long }) => flag === long || flag === short)
}
