/** What every definition of a command uses. */
import type { Command } from 'commander'
import { credentialCommand } from '../core/credential-helper.ts'
import { KugetsuError } from '../core/errors.ts'
import { pmShellCommand } from '../core/pm-shell.ts'
import { daemonCommand } from '../daemon/names.ts'
import { aliases } from './names.ts'
import type { Context } from './terminal/context.ts'
import { wrap } from './terminal/wrap.ts'

/** Commands by name, each with its definition and its work. Only the called command is made, in a group too (`asked`). */
export type Definitions = Record<string, Definition>
type Definition = (command: Define, context: Context, group: Group, asked: string | undefined) => void
/** Makes one command, with its description and the common flags. */
type Define = (usage: string, description: string, examples?: string[], exits?: Exits) => Command
/** What the exit codes other than 0 and 1 mean for a command, or what is special about 0 and 1. */
type Exits = Partial<Record<0 | 1 | 2 | 124, string>>
/** Makes a command with subcommands. The common flags belong to these, or they would never see the flags. */
type Group = (name: string, description: string) => Command
/** The commands of a group, by name, each with the function that adds it to the group. */
export type Subcommands = Record<string, (group: Command, context: Context) => void>

/** The hidden command that answers the shells' completion: `__complete -- <words…>`. */
export const completeCommand = '__complete'

const internal = [daemonCommand, credentialCommand, completeCommand, pmShellCommand]

/** Whether a command is for kugetsu itself and the shells, not for people. */
export function isHidden(command: Command): boolean {
  return internal.includes(command.name())
}

/** Makes the command with this name; without such a command makes all of them, for texts about all commands. */
export function addTo(group: Command, commands: Subcommands, context: Context, asked = ''): void {
  const only = Object.hasOwn(commands, asked) ? commands[asked] : undefined
  for (const add of only === undefined ? Object.values(commands) : [only]) add(group, context)
}

/** Adds what every command has: `--json`, `--debug`, examples, exit codes. */
export function finish(command: Command, examples: string[], exits: Exits = {}): Command {
  command.option('--json', 'Print JSON').option('--debug', 'Print stacks of errors')
  const lines = examples.map((example) => `  ${example}`).join('\n')
  const also = Object.entries(aliases).flatMap(([alias, name]) => (name === command.name() ? [alias] : []))
  const codes = Object.entries({ 0: 'done', 1: 'failed', ...exits }).map(([code, meaning]) => `${code} ${meaning}`)
  return command.addHelpText(
    'after',
    `${also.length > 0 && command.parent?.parent === null ? `\nAlso called: ${also.join(', ')}\n` : ''}` +
      `${lines === '' ? '' : `\nExamples:\n${lines}\n`}\n${wrap(`Exit codes: ${codes.join(', ')}`, 76, '  ')}`,
  )
}

/** The value of a flag that counts seconds, in seconds; 10m, 2h and 1d are understood too. */
export function seconds(text: string): number {
  const [, amount = text, unit = 's'] = /^(.*\d)([smhd])$/.exec(text.trim()) ?? []
  const value = Number(amount) * ({ s: 1, m: 60, h: 3_600, d: 86_400 }[unit] ?? 1)
  if (amount.trim() !== '' && Number.isFinite(value) && value >= 0) return value
  throw new KugetsuError(`not a number of seconds: ${text}`, {
    hint: 'Give --timeout like this: --timeout 600, 10m or 2h',
    code: 'usage',
  })
}

/** The value of a flag that counts things. */
export function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new KugetsuError(`not a number of rows: ${text}`, { hint: 'Give it like this: -n 20', code: 'usage' })
}

/** The values of a flag that may be given several times. */
export function collect(text: string, before: string[] = []): string[] {
  return [...before, text]
}

/** The value of -m, which may be given only once: no issue has a message of its own. */
export function once(text: string, before?: string): string {
  if (before === undefined) return text
  throw new KugetsuError('-m is given twice', {
    hint: 'Each issue named gets the same message. For another message, use another command.',
    code: 'usage',
  })
}
