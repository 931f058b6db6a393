/**
 * The first page of help: a sentence about kugetsu and the daily commands. `help --all` has every command, from the
 * definitions.
 */
import type { Command } from 'commander'

const page = `kugetsu - OpenCode Session Manager

Gives each issue a coding agent in a git worktree of its own, and runs at most
as many at once as you allow; the others wait in a queue.

  Start an agent     kugetsu start https://github.com/me/app/issues/14
    with your words  kugetsu start github.com/me/app#14 "fix the login bug"
  What needs you     kugetsu list
  Watch an agent     kugetsu logs -f app#14
  Tell it more       kugetsu continue app#14 "add tests"
  Hand out work      kugetsu delegate "start on the open bugs of me/app"
  Clean up           kugetsu destroy app#14

A short end of an issue's name is enough where it is the only one: app#14, and
inside a clone 14. (A # at the beginning of a word is a comment for the shell.)

More:
  kugetsu help --all         every command
  kugetsu help <command>     its flags and examples
  kugetsu demo               see it work, without an account
  man kugetsu
`

/** The first page of help, when the command line asks for it and nothing else; undefined otherwise. */
export function firstPage(argv: readonly string[]): string | undefined {
  const isAsked = argv.length === 0 || (argv.length === 1 && ['help', '--help', '-h'].includes(argv[0] ?? ''))
  return isAsked ? page : undefined
}

/** Whether it asks for the page with every command. */
export function asksForAll(argv: readonly string[]): boolean {
  return argv.length === 2 && argv.includes('--all') && ['help', '--help', '-h'].some((word) => argv.includes(word))
}

/** The page of help of a command, as commander makes it. */
export function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: (part) => (help += part) }).outputHelp()
  return help
}
