/** man/kugetsu.1, from the commands as they are defined. `npm run man` writes it, test/cli/man-page.test.ts compares. */
import type { Command } from 'commander'
import { isHidden } from '../src/cli/define.ts'
import { helpOf } from '../src/cli/help.ts'

/** The manual page (roff, man(7)) of the whole command line. */
export function manPage(program: Command, version: string): string {
  const shown = program.commands.filter((each) => !isHidden(each))
  const commands = [...new Set(shown.map((each) => each.helpGroup()))].flatMap((heading) => [
    `.SS ${text(heading.replace(/:$/, ''))}`,
    ...shown
      .filter((each) => each.helpGroup() === heading)
      .flatMap((each) => leavesOf(each, 'kugetsu'))
      .flatMap(described),
  ])
  return `${[
    `.\\" Made from the definitions of the commands by "npm run man".`,
    `.TH KUGETSU 1 "" "kugetsu ${version}" "User Commands"`,
    '.SH NAME',
    text('kugetsu - turn issues into running coding agents'),
    '.SH SYNOPSIS',
    '.B kugetsu',
    '.RI < command >',
    '[options]',
    '.SH DESCRIPTION',
    text('Each issue gets a git worktree and an opencode session of its own, and an agent works there.'),
    text('Never more than MAX_CONCURRENT_AGENTS agents work at once.'),
    '.SH COMMANDS',
    text('Every command takes --json (print JSON), --debug (print stacks of errors) and --help.'),
    ...commands,
    ...tailOf(program).flatMap(([heading, lines]) => [`.SH ${heading.toUpperCase()}`, ...lines.map(text)]),
    '.SH FILES',
    '.TP',
    text('~/.kugetsu'),
    text('The home: configuration, sessions, worktrees, the queue, logs.'),
    '.SH SEE ALSO',
    '.BR git (1),',
    '.BR opencode (1)',
  ].join('\n')}\n`
}

interface Leaf {
  /** As it is called: `kugetsu queue list`. */
  name: string
  command: Command
}

function leavesOf(command: Command, before: string): Leaf[] {
  const name = `${before} ${command.name()}`
  return command.commands.length > 0 ? command.commands.flatMap((each) => leavesOf(each, name)) : [{ name, command }]
}

const common = new Set(['--json', '--debug'])

function described({ name, command }: Leaf): string[] {
  const usage = command.usage().replace('[options]', '').trim()
  const options = command.options.filter(({ long }) => !common.has(long ?? ''))
  const examples = tailOf(command).find(([heading]) => heading === 'Examples')?.[1] ?? []
  const codes = /^Exit codes: ([^]+)/m.exec(helpOf(command))?.[1] ?? ''
  return [
    '.TP',
    `.B ${text(`${name} ${usage}`.trim())}`,
    text(`${command.description()}.`),
    '.RS',
    ...options.flatMap(({ flags, description }) => ['.TP', `.B ${text(flags)}`, text(description)]),
    '.PP',
    text(`Exit codes: ${codes.replace(/\s+/g, ' ').trim()}.`),
    '.PP',
    '.nf',
    ...examples.map(text),
    '.fi',
    '.RE',
  ]
}

/** What help prints after the options: headings at the margin, each with the indented lines under it. */
function tailOf(command: Command): [string, string[]][] {
  const parts = helpOf(command).split(/^(?=\S[^\n]*:\n {2})/m)
  return parts
    .map((part): [string, string[]] => {
      const [heading = '', ...lines] = part.split('\n')
      const end = lines.findIndex((line) => !line.startsWith('  '))
      return [heading.replace(/:$/, ''), lines.slice(0, end === -1 ? undefined : end).map((line) => line.trim())]
    })
    .filter(([heading]) => /^(Examples|Issue refs|Exit codes|Configuration)$/.test(heading))
}

/** A line as roff prints it, whatever it begins with. */
function text(line: string): string {
  const escaped = line.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('~', '\\(ti').replaceAll('"', '\\(dq')
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped
}
