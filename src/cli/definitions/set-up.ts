import { Option, type Command } from 'commander'
import type { Context } from '../context.ts'
import { finish, type Definitions } from './define.ts'

export const setUp: Definitions = {
  init: (command, context) => {
    command('init', 'create the home, the base session and the PM agent session', [
      'kugetsu init',
      'kugetsu init --force',
    ])
      .option('--force', 'new sessions in a home that is initialised; config, worktrees and issue sessions stay')
      .option('--tui', "open opencode's terminal interface on the base session afterwards, to add context")
      .action(async (options) => (await import('../commands/init.ts')).runInit(context, options))
  },
  server: (_, context, group) => addServerCommands(group('server', 'the git servers that issue refs name'), context),
  demo: (command, context) => {
    command('demo', 'the whole flow on a throwaway home: real opencode, scripted model')
      .option('--keep', 'keep the throwaway home to look around in')
      .action(async (options) => (await import('../commands/demo.ts')).runDemo(context, options))
  },
}

function addServerCommands(server: Command, context: Context): void {
  const commands = () => import('../commands/server.ts')
  finish(server.command('list').description('all known servers'), []).action(async (options) =>
    (await commands()).runServerList(context, options),
  )
  finish(server.command('add <name> <url>').description('add a server, by name and URL'), [
    'kugetsu server add forge.test git://127.0.0.1:9418',
    'kugetsu server add work ssh://git@git.example.com --type gitea',
  ])
    .addOption(
      new Option('--type <forge>', 'the forge it speaks; guessed without').choices([
        'gitea',
        'github',
        'gitlab',
        'unknown',
      ]),
    )
    .action(async (name, url, options) => (await commands()).runServerAdd(context, { ...options, name, url }))
  finish(server.command('remove <name>').description('forget a server'), []).action(async (name, options) =>
    (await commands()).runServerRemove(context, { ...options, name }),
  )
  finish(server.command('default [name]').description('print or set the server of owner/repo#n'), []).action(
    async (name, options) => (await commands()).runServerDefault(context, { ...options, name }),
  )
  finish(server.command('get [name]').description('print the URL of a server, or of the default one'), []).action(
    async (name, options) => (await commands()).runServerGet(context, { ...options, name }),
  )
}
