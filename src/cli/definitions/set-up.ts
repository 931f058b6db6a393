import { Argument, Option, type Command } from 'commander'
import { forgeTypes } from '../../config/forge-types.ts'
import { credentialCommand } from '../../core/credential-helper.ts'
import type { Context } from '../terminal/context.ts'
import { addTo, completeCommand, finish, type Definitions, type Subcommands } from '../define.ts'

export const setUp: Definitions = {
  init: (command, context) => {
    command('init', 'Create the home, the base session and the PM agent session', [
      'kugetsu init',
      'kugetsu init --force',
    ])
      .option('--force', 'Create new sessions in an initialised home; keep config, worktrees and issue sessions')
      .option('--tui', "Open opencode's terminal interface on the base session afterwards, to add context")
      .action(async (options) => (await import('../commands/set-up/init.ts')).runInit(context, options))
  },
  login: (command, context) => {
    command('login', 'Log in to a provider of models, for agents', ['kugetsu login', 'kugetsu login anthropic'])
      .argument('[provider]', 'its name; without one, opencode asks')
      .action(async (provider, options) =>
        (await import('../commands/set-up/login.ts')).runLogin(context, { ...options, provider }),
      )
  },
  server: (_, context, group) =>
    addServerCommands(group('server', 'Manage the git servers that issue refs name'), context),
  env: (_, context, group) =>
    addEnvCommands(group('env', 'Manage the variables that agents get, such as tokens'), context),
  config: (_, context, group, asked) =>
    addTo(group('config', 'Print and change the settings'), configCommands, context, asked),
  doctor: (command, context) => {
    command('doctor', 'Check the set-up and say how to fix what is wrong', ['kugetsu doctor', 'kugetsu doctor --fix'], {
      0: 'nothing fails',
      1: 'something does',
    })
      .option('--all', 'On a terminal, also show the checks that pass')
      .option('--fix', 'Fix what can be fixed without losing anything, and check again')
      .option('--fix-permissions', "Store what agents may do with their sessions in opencode's database")
      .action(async (options) => (await import('../commands/set-up/doctor.ts')).runDoctor(context, options))
  },
  completion: (command, context) => {
    command('completion', 'Print the script that makes a shell complete kugetsu commands', [
      'source <(kugetsu completion bash)   # in ~/.bashrc',
      'source <(kugetsu completion zsh)    # in ~/.zshrc, after compinit',
      'kugetsu completion fish > ~/.config/fish/completions/kugetsu.fish',
    ])
      .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(['bash', 'zsh', 'fish']))
      .action(async (shell, options) =>
        (await import('../commands/set-up/completion.ts')).runCompletion(context, { ...options, shell }),
      )
  },
  [completeCommand]: (command, context) => {
    command(`${completeCommand} [words...]`, 'Complete the last of the words; called by the shells').action(
      async (words, _options, self: Command) =>
        (await import('../commands/internal/complete.ts')).runComplete(context, self.parent, words),
    )
  },
  [credentialCommand]: (command, context) => {
    command(`${credentialCommand} <agent> <operation>`, 'Print tokens for git; called by git').action(
      async (agent, operation) =>
        (await import('../commands/internal/credential.ts')).runCredential(context, { agent, operation }),
    )
  },
  demo: (command, context) => {
    command('demo', 'Play the whole flow in a throwaway home, with the real opencode and a scripted model', [
      'kugetsu demo --keep',
    ])
      .option('--keep', 'Keep the throwaway home, to look around in it')
      .action(async (options) => (await import('../commands/set-up/demo.ts')).runDemo(context, options))
  },
}

function addServerCommands(server: Command, context: Context): void {
  const commands = () => import('../commands/set-up/server.ts')
  finish(server.command('list').description('List all known servers'), ['kugetsu server list']).action(
    async (options) => (await commands()).runServerList(context, options),
  )
  finish(server.command('add <name> <url>').description('Add a server'), [
    'kugetsu server add forge.test git://127.0.0.1:9418',
    'kugetsu server add work ssh://git@git.example.com --type gitea',
  ])
    .addOption(new Option('--type <forge>', 'Set the forge it runs (default: detect it)').choices([...forgeTypes]))
    .option('--api <url>', "Set the forge's API URL, if it is not on the host of <url>: https://git.example.com/api/v1")
    .action(async (name, url, options) => (await commands()).runServerAdd(context, { ...options, name, url }))
  finish(server.command('remove <name>').description('Remove a server'), ['kugetsu server remove forge.test']).action(
    async (name, options) => (await commands()).runServerRemove(context, { ...options, name }),
  )
  finish(server.command('default [name]').description('Print or set the server that owner/repo#n means'), [
    'kugetsu server default work',
  ]).action(async (name, options) => (await commands()).runServerDefault(context, { ...options, name }))
  finish(server.command('get [name]').description('Print the URL of a server, or of the default one'), [
    'kugetsu server get work',
  ]).action(async (name, options) => (await commands()).runServerGet(context, { ...options, name }))
}

function addEnvCommands(env: Command, context: Context): void {
  const commands = () => import('../commands/set-up/env.ts')
  const agents = 'default (every agent), pm-agent or dev'
  finish(env.command('list').description('List the files of variables and what they set'), ['kugetsu env list']).action(
    async (options) => (await commands()).runEnvList(context, options),
  )
  finish(env.command('show [agent]').description('Print what an agent gets, with secrets masked (default: pm-agent)'), [
    'kugetsu env show dev',
  ])
    .addHelpText('after', `\nAgents: ${agents}`)
    .action(async (agent, options) => (await commands()).runEnvShow(context, { ...options, agent }))
  finish(env.command('get <key> [agent]').description('Print the value of a variable (default: pm-agent)'), [
    'kugetsu env get LANG dev',
  ]).action(async (key, agent, options) => (await commands()).runEnvGet(context, { ...options, key, agent }))
  finish(env.command('set <key> <value> [agent]').description('Set a variable (default: pm-agent)'), [
    'kugetsu env set GITEA_TOKEN - dev < token.txt',
    'kugetsu env set LANG C.UTF-8 default',
  ])
    .addHelpText('after', `\nValue "-" reads standard input. Agents: ${agents}`)
    // A value may begin with a hyphen, and must not turn up in an error about an unknown option.
    .allowUnknownOption()
    .action(async (key, value, agent, options) =>
      (await commands()).runEnvSet(context, { ...options, key, value, agent }),
    )
  finish(env.command('rm <key> [agent]').description('Remove a variable (default: pm-agent)'), [
    'kugetsu env rm LANG dev',
  ]).action(async (key, agent, options) => (await commands()).runEnvRemove(context, { ...options, key, agent }))
}

const config = () => import('../commands/set-up/config.ts')

const configCommands: Subcommands = {
  list: (group, context) =>
    finish(
      group
        .command('list', { isDefault: true })
        .description('List all settings: value, default, where the value comes from, meaning'),
      ['kugetsu config list'],
      { 1: 'failed, or a setting has a value that it cannot have' },
    ).action(async (options) => (await config()).runConfigList(context, options)),
  get: (group, context) =>
    finish(group.command('get <setting>').description('Print the value of a setting, alone'), [
      'kugetsu config get MAX_CONCURRENT_AGENTS',
    ]).action(async (setting, options) => (await config()).runConfigGet(context, { ...options, setting })),
  set: (group, context) =>
    finish(
      group.command('set <setting> <value>').description('Set a setting in the config file; keep all else in it'),
      ['kugetsu config set MAX_CONCURRENT_AGENTS 5'],
    )
      // A value may begin with a hyphen; the setting says what it takes.
      .allowUnknownOption()
      .action(async (setting, value, options) =>
        (await config()).runConfigSet(context, { ...options, setting, value }),
      ),
  unset: (group, context) =>
    finish(group.command('unset <setting>').description('Remove a setting from the config file: the default holds'), [
      'kugetsu config unset MAX_CONCURRENT_AGENTS',
    ]).action(async (setting, options) => (await config()).runConfigUnset(context, { ...options, setting })),
}
