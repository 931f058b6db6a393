/** The kugetsu commands that a document shows, checked against the command line as it is. */
import type { Command } from 'commander'
import { createProgram } from '../../src/cli/program.ts'
import { createFakeContext } from './fake-context.ts'

/**
 * Every call of kugetsu in a Markdown text, as its arguments: in the lines of `bash` blocks and of indented blocks, and
 * in `code` that begins with kugetsu. Placeholders stay what they are: `<issue-ref>` is a word like any other.
 */
export function documentedCalls(markdown: string): string[][] {
  const fenced = [...markdown.matchAll(/^```(?:bash|sh)\n([^]*?)^```/gm)].map(([, code]) => code ?? '')
  const rest = markdown.replaceAll(/^```[^]*?^```/gm, '')
  const indented = [...rest.matchAll(/^ {4}(\S.*)$/gm)].map(([, line]) => line ?? '')
  // A text may be wrapped within a code span.
  const spans = [...rest.matchAll(/`([^`]+)`/g)].map(([, code]) => code?.replaceAll('\n', ' ') ?? '')
  return [...fenced.flatMap((code) => code.replaceAll('\\\n', ' ').split('\n')), ...indented, ...spans].flatMap(callsOf)
}

/** The calls of kugetsu in a line of shell, also behind `ssh host`, `sudo` and the like. */
function callsOf(line: string): string[][] {
  return simpleCommands(line).flatMap((words) => {
    const at = words.indexOf('kugetsu')
    const before = words.slice(0, at)
    // The name of a package, a user or an image: `npm install -g kugetsu`, `--user kugetsu`.
    const isNoProgram = before.includes('install') || /^--?\w/.test(before.at(-1) ?? '')
    return at === -1 || isNoProgram || at === words.length - 1 ? [] : [words.slice(at + 1)]
  })
}

/** The words of each command of a line: as much of the shell as documents use. */
function simpleCommands(line: string): string[][] {
  const commands: string[][] = [[]]
  const token =
    /\s+|#.*$|\$\(|&&|\|\||[;|&()]|\d?>&?\d?\s*[^\s;|&]*|<<'?\w+'?|<\s+\S+|((?:'[^']*'|"[^"]*"|<[\w./ -]+>|[^\s'"|&;()<>])+)/gy
  for (const [text, word] of line.matchAll(token)) {
    if (word !== undefined) commands.at(-1)?.push(word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
    else if (/^[\n;|&()$]/.test(text)) commands.push([])
    else if (text.startsWith('#')) break
  }
  return commands.filter((words) => words.length > 0)
}

/** What is wrong with a call, as the command line says it; undefined when it parses. Nothing is run. */
export function wrongWith(call: readonly string[]): string | undefined {
  const context = createFakeContext()
  try {
    const program = createProgram(context, '0', [])
    neuter(program)
    program.parse(call, { from: 'user' })
    return undefined
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return code === 'commander.helpDisplayed' || code === 'commander.help' || code === 'commander.version'
      ? undefined
      : message
  } finally {
    context.cleanup()
  }
}

/** Has a command and those below it do nothing, end nothing and print nothing. */
function neuter(command: Command): void {
  command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} })
  if (command.commands.length === 0) command.action(() => {})
  command.commands.forEach(neuter)
}
