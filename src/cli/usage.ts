/** The error for a wrong command line, and the meaning of `kugetsu help …`. */
import { Command, CommanderError } from 'commander'
import { KugetsuError } from '../core/errors.ts'
import { plainLine } from '../core/plain-text.ts'
import { isHidden } from './define.ts'
import { meantBy, meantByArgument } from './meanings.ts'

/**
 * The arguments that `help <command> [subcommand]` means: those commands with --help. A name that does not exist is left as
 * if it had been called, and the call reports it.
 */
export function withoutHelp(program: Command, argv: readonly string[]): string[] {
  const [first, ...names] = argv
  if (first !== 'help' || names.length === 0 || names[0]?.startsWith('-') === true) return [...argv]
  let command = program
  for (const [index, name] of names.entries()) {
    if (name.startsWith('-')) break
    const next = command.commands.find((each) => each.name() === name)
    // A word that names no subcommand is an argument, as in `help start me/app#1`.
    if (next === undefined && command.commands.length === 0) break
    if (next === undefined) return names.slice(0, index + 1)
    command = next
  }
  return [...pathOf(command), '--help']
}

/** A mistake in the command line as commander found it, in one line with a hint. */
export function usageError(error: CommanderError, program: Command, argv: readonly string[]): KugetsuError {
  const cause = wrongSubcommand(error, program, argv) ?? error
  // The message quotes what was typed, and may contain anything.
  const [, message = '', suggestion] = /^(?:error: )?([^]*?)(?:\n\((Did you mean [^\n]*)\))?$/.exec(cause.message) ?? []
  const command = calledIn(program, argv)
  const called = ['kugetsu', ...pathOf(command)].join(' ')
  const meant = error.code === 'commander.unknownCommand' || cause !== error ? meantAt(program, argv) : undefined
  const usage = `${called} ${command.usage().replace('[options]', '')}`.replace(/ +/g, ' ').trim()
  const isOption = error.code === 'commander.unknownOption'
  const see = command === program ? 'See "kugetsu help".' : `Usage: ${usage}; see "${called} --help".`
  const noScript = /^command-argument value '([^]*)' is invalid for argument 'shell'/.exec(message)
  if (noScript !== null) {
    const said = `no completion for ${plainLine(noScript[1] ?? '', 100)}: bash, zsh or fish`
    return new KugetsuError(said, { hint: see, code: 'usage', cause })
  }
  // An unquoted #14 never gets here: to the shell it is a comment.
  const isCutOff = error.code === 'commander.missingArgument' && message.includes("'issue-ref")
  const hash = isCutOff ? ' Quote a ref that begins with #, or leave the # out: 14.' : ''
  const tooMuch = error.code === 'commander.excessArguments' ? command.args.at(-1) : undefined
  const other = tooMuch === undefined ? undefined : meantByArgument(pathOf(command).join(' '), tooMuch)
  const byArgument = other === undefined ? undefined : `Did you mean "kugetsu ${other}"?`
  // An option has no blanks, and a message may begin with a hyphen.
  const isText = isOption && /^unknown option '[^']*\s/.test(message)
  const literal = isText ? ` Put -- in front of a text that begins with -.` : ''
  const hint = (isText ? undefined : isOption ? suggestion : (meant ?? byArgument)) ?? see + hash + literal
  return new KugetsuError(plainLine(message, 300) || 'wrong usage', { hint, code: 'usage', cause })
}

/** `Did you mean …?` for the first word that names no command. */
function meantAt(program: Command, argv: readonly string[]): string | undefined {
  const group = calledIn(program, argv)
  const path = pathOf(group)
  const names = group.commands.filter((each) => !isHidden(each)).map((each) => each.name())
  const meant = meantBy(argv[path.length] ?? '', [...names, 'help'], path.length === 0)
  return meant === undefined ? undefined : `Did you mean "kugetsu ${[...path, meant].join(' ')}"?`
}

/** When a group has a default command (`queue` for `queue list`), commander takes a wrong name for its argument. */
function wrongSubcommand(error: CommanderError, program: Command, argv: readonly string[]): CommanderError | undefined {
  const [name, word = ''] = argv
  const group = program.commands.find((each) => each.name() === name)?.commands ?? []
  if (error.code !== 'commander.excessArguments' || group.length === 0) return undefined
  if (word.startsWith('-') || group.some((each) => each.name() === word)) return undefined
  const names = new Command().exitOverride().configureOutput({ outputError: () => {}, writeErr: () => {} })
  for (const each of group) names.command(each.name())
  try {
    names.parse([word], { from: 'user' })
  } catch (unknown) {
    if (unknown instanceof CommanderError) return unknown
  }
  return undefined
}

/** The called command, as far as its name goes. */
function calledIn(program: Command, argv: readonly string[]): Command {
  let command = program
  for (const word of argv) {
    const next = command.commands.find((each) => each.name() === word)
    if (next === undefined) break
    command = next
  }
  return command
}

/** The words that name a command, after `kugetsu`. */
function pathOf(command: Command): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()]
}
