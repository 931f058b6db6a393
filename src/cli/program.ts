/** The command line. definitions/ has every command: its name, flags, and the call; its work is loaded when it runs. */
import { Command, Help } from 'commander'
import type { Context } from './terminal/context.ts'
import { agents } from './definitions/agents.ts'
import { cleanUp } from './definitions/clean-up.ts'
import { completeCommand, finish, isHidden, type Definitions } from './define.ts'
import { notifications } from './definitions/notify.ts'
import { pmAgent } from './definitions/pm-agent.ts'
import { queue } from './definitions/queue.ts'
import { setUp } from './definitions/set-up.ts'

const epilogue = `
Issue refs:
  host/owner/repo#14 or #-word, the URL of an issue or pull request,
  owner/repo#14 (default git server), #14 inside a clone (that repository's),
  or elsewhere any unique tail of a ref that has a session.

Exit codes:
  0 done, 1 failed (also wrong usage), 2 no free slot (MAX_CONCURRENT_AGENTS),
  124 wait ran out of time, 130 interrupted

Configuration:
  ~/.kugetsu/config, environment variables over it. KUGETSU_DIR is the home,
  KUGETSU_OPENCODE the opencode to use, NO_COLOR turns colours off.`

/** In the order of help, under these headings. */
const sections: [string, Definitions][] = [
  ['Agents:', agents],
  ['PM agent:', pmAgent],
  ['Queue:', queue],
  ['Queue:', notifications],
  ['Clean-up:', cleanUp],
  ['Set-up:', setUp],
]

/** Help gets no wider than this many columns: a line across a whole screen is hard to read. */
const widestHelp = 100

/**
 * The command line of kugetsu; its commands work with `context`. Only the command that `argv` calls is made, because
 * making them all takes as long as a read-only command does. Help and wrong names need all of them, the version needs
 * none.
 */
export function createProgram(
  context: Context,
  version: string,
  argv: readonly string[],
  columns = context.io.columns,
): Command {
  const program = new Command('kugetsu')
    .usage('<command> [options]')
    .version(version, '-V, --version', 'Print the version')
    .helpOption('-h, --help', 'Print help')
    .helpCommand('help [command]', 'Print help for a command')
    .addHelpText('before', 'kugetsu - OpenCode Session Manager\n')
    .addHelpText('after', epilogue)
    .configureOutput({
      getOutHelpWidth: () => Math.min(columns, widestHelp),
      getErrHelpWidth: () => Math.min(columns, widestHelp),
      // The output has no colours to take out, and asking the streams of the process takes two milliseconds.
      getOutHasColors: () => true,
      getErrHasColors: () => true,
    })
    .configureHelp({
      minWidthToWrap: 20, // by default commander breaks no line in less than 40 columns beside the flags
      subcommandTerm: (command) =>
        `${command.name()} ${command.usage().replace('[options] ', '').replace('[options]', '')}`,
      visibleCommands: (command) => command.commands.filter((each) => !isHidden(each)),
      // The work of a command comes before its usage.
      formatHelp: (command, helper) => {
        const [usage = '', does = '', ...rest] = Help.prototype.formatHelp.call(helper, command, helper).split('\n\n')
        return (command.description() === '' ? [usage, does, ...rest] : [does, usage, ...rest]).join('\n\n')
      },
    })
    .showSuggestionAfterError(true) // of flags; for commands see names.ts
  // Completing `kugetsu start …` needs that command; completing its name needs all commands.
  const name = argv[0] === completeCommand ? argv[2] : argv[0]
  const isKnown =
    ['-V', '--version'].includes(name ?? '') ||
    sections.some(([, definitions]) => Object.hasOwn(definitions, name ?? ''))
  for (const [heading, definitions] of sections) {
    const make = (usage: string, description: string) =>
      program.command(usage).description(description).helpGroup(heading)
    const define: Parameters<Definitions[string]>[0] = (usage, description, examples = [], exits = {}) =>
      finish(make(usage, description), examples, exits)
    for (const [each, definition] of Object.entries(definitions)) {
      if (isKnown && each !== name && each !== argv[0]) continue
      definition(define, context, make, each === argv[0] ? argv[1] : undefined)
    }
  }
  return program
}
