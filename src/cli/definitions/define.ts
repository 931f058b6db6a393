/** What the definitions of commands are made with. */
import type { Command } from 'commander'
import { KugetsuError } from '../../core/errors.ts'
import type { Context } from '../context.ts'

/** Commands by name: what each is called with and does. Only the one that is called is made. */
export type Definitions = Record<string, Definition>
type Definition = (command: Define, context: Context, group: Group) => void
/** Makes one command, with a description and what every command has. */
type Define = (usage: string, description: string, examples?: string[]) => Command
/** Makes one that has commands of its own; the flags that every command has are theirs, or they would never see them. */
type Group = (name: string, description: string) => Command

/** What every command has: `--json`, `--debug`, examples. */
export function finish(command: Command, examples: string[]): Command {
  command.option('--json', 'print JSON').option('--debug', 'print stacks of errors')
  const lines = examples.map((example) => `  ${example}`).join('\n')
  return lines === '' ? command : command.addHelpText('after', `\nExamples:\n${lines}`)
}

/** The value of a flag that counts seconds. */
export function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value
  throw new KugetsuError(`not a number of seconds: ${text}`, {
    hint: 'Give --timeout like this: --timeout 600',
    code: 'usage',
  })
}
