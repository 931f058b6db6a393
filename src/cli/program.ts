/** Every command: its name, its flags, and the call. What a command does is loaded when it runs. */
import { Command, Option } from 'commander'
import { daemonCommand } from '../daemon/names.ts'
import { KugetsuError } from '../core/errors.ts'
import type { Context } from './context.ts'

const epilogue = `
Issue refs:
  instance/owner/repo#14 or #-word, the URL of an issue or pull request,
  owner/repo#14 (default git server), #14 inside a clone, or any unique tail of
  a ref that has a session.

Exit codes:
  0 done, 1 failed (also wrong usage), 2 no free slot (MAX_CONCURRENT_AGENTS),
  124 wait ran out of time, 130 interrupted

Configuration:
  ~/.kugetsu/config, environment variables over it. KUGETSU_DIR is the home,
  KUGETSU_OPENCODE the opencode to use, NO_COLOR turns colours off.`

/** Makes one command; `command` gives it a name, a description and what every command has. */
type Definition = (command: Define, context: Context, group: Group) => void
type Define = (usage: string, description: string, examples?: string[]) => Command
/** Makes one that has commands of its own; the flags that every command has are theirs, or they would never see them. */
type Group = (name: string, description: string) => Command

const definitions: Record<string, Definition> = {
  init: (command, context) => {
    command('init', 'create the home, the base session and the PM agent session', [
      'kugetsu init',
      'kugetsu init --force',
    ])
      .option('--force', 'new sessions in a home that is initialised; config, worktrees and issue sessions stay')
      .option('--tui', "open opencode's terminal interface on the base session afterwards, to add context")
      .action(async (options) => (await import('./commands/init.ts')).runInit(context, options))
  },
  start: (command, context) => {
    const start = command(
      'start <issue-ref> <message> [pr-url]',
      'have an agent work on an issue, in a worktree of its own',
      ['kugetsu start github.com/me/app#14 "fix the login bug"', 'kugetsu start me/app#14 - --wait < task.md'],
    )
    startFlags(start).action(async (ref, message, prUrl, options) =>
      (await import('./commands/start.ts')).runStart(context, { ...options, ref, message, prUrl, command: 'start' }),
    )
  },
  continue: (command, context) => {
    const description = 'give the agent of an issue its next message, or steer it while it works'
    const examples = ['kugetsu continue app#14 "add tests"', 'kugetsu continue app#14']
    startFlags(command('continue <issue-ref> [message]', description, examples)).action(async (ref, message, options) =>
      (await import('./commands/start.ts')).runStart(context, { ...options, ref, message, command: 'continue' }),
    )
  },
  list: (command, context) => {
    command('list', 'the sessions: state, worktree, branch, age, pull request, cost', [
      'kugetsu list',
      'kugetsu list --json',
    ])
      .option('--all', 'also session files that are in no index')
      .action(async (options) => (await import('./commands/list.ts')).runList(context, options))
  },
  status: (command, context) => {
    command('status', 'whether kugetsu is ready, and what is at work').action(async (options) =>
      (await import('./commands/status.ts')).runStatus(context, options),
    )
  },
  logs: (command, context) => {
    const examples = ['kugetsu logs app#14', 'kugetsu logs -f app#14']
    command('logs [issue-ref|n]', "an agent's transcript, or the last n delegation logs (10)", examples)
      .option('-f, --follow', 'go on while the agent works')
      .action(async (what, options) => (await import('./commands/logs.ts')).runLogs(context, { ...options, what }))
  },
  attach: (command, context) => {
    command('attach <issue-ref>', "open opencode's terminal interface on the live session").action(
      async (ref, options) => (await import('./commands/attach.ts')).runAttach(context, { ...options, ref }),
    )
  },
  wait: (command, context) => {
    const examples = ['kugetsu wait app#14 app#15 --timeout 600']
    command('wait <issue-ref...>', 'return when the agents are done; the exit code tells how', examples)
      .option('--timeout <seconds>', 'how long to wait', seconds)
      .action(async (refs, options) => (await import('./commands/wait.ts')).runWait(context, { ...options, refs }))
  },
  stop: (command, context) => {
    command('stop <issue-ref>', 'stop the agent and the command it runs; session and worktree stay').action(
      async (ref, options) => (await import('./commands/stop.ts')).runStop(context, { ...options, ref }),
    )
  },
  destroy: (command, context) => {
    const examples = ['kugetsu destroy app#14', 'kugetsu destroy app#14 -y --force', 'kugetsu destroy --base -y']
    command(
      'destroy [issue-ref]',
      'remove worktree and session of an issue; refuses where work would be lost',
      examples,
    )
      .option('-y, --yes', 'do not ask')
      .option('--force', 'stop the agent and go on, after saving the work under a recovery ref')
      .option('--pm-agent', 'the PM agent session instead of an issue')
      .option('--base', 'the base session, with the PM agent and all issue sessions')
      .action(async (ref, options) => (await import('./commands/destroy.ts')).runDestroy(context, { ...options, ref }))
  },
  queue: (_, context, group) => addQueueCommands(group('queue', 'the tasks that wait for a free slot'), context),
  'queue-daemon': (_, context, group) =>
    addQueueDaemonCommands(group('queue-daemon', 'what takes tasks from the queue, in the background'), context),
  server: (_, context, group) => addServerCommands(group('server', 'the git servers that issue refs name'), context),
  demo: (command, context) => {
    command('demo', 'the whole flow on a throwaway home: real opencode, scripted model')
      .option('--keep', 'keep the throwaway home to look around in')
      .action(async (options) => (await import('./commands/demo.ts')).runDemo(context, options))
  },
  [daemonCommand]: (command, context) => {
    command(daemonCommand, 'the daemon; started by the other commands').action(async () =>
      (await import('./commands/supervise.ts')).runSupervise(context, { foreground: false }),
    )
  },
}

/**
 * The command line of kugetsu; `context` is what its commands get to work with. Only the command that `argv` calls is
 * made, because making them all takes as long as a read-only command does; all are for help and for wrong names.
 */
export function createProgram(context: Context, version: string, argv: readonly string[]): Command {
  const program = new Command('kugetsu')
    .usage('<command> [options]')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText('beforeAll', 'kugetsu - OpenCode Session Manager\n')
    .addHelpText('after', epilogue)
    .configureHelp({
      helpWidth: Math.min(context.io.columns, 100),
      subcommandTerm: (command) =>
        `${command.name()} ${command.usage().replace('[options] ', '').replace('[options]', '')}`,
      visibleCommands: (command) => command.commands.filter((each) => each.name() !== daemonCommand),
    })
    .showSuggestionAfterError(true)
  const define: Define = (usage, description, examples = []) =>
    finish(program.command(usage).description(description), examples)
  const group: Group = (name, description) => program.command(name).description(description)
  const called = definitions[argv[0] ?? '']
  for (const definition of called === undefined ? Object.values(definitions) : [called]) {
    definition(define, context, group)
  }
  return program
}

/** The flags of `start` and `continue`. */
function startFlags(command: Command): Command {
  return command
    .option('--queue', 'with no free slot: put it into the queue')
    .option('--wait', 'return when the agent is done; the exit code tells how')
    .option('--timeout <seconds>', 'with --wait: how long to wait', seconds)
    .option('--fresh', 'begin anew in a new worktree and session, after saving the work of the old one')
    .option('--base <branch>', 'the branch to start from (default: KUGETSU_BASE_BRANCH, else the remote HEAD)')
    .option('--model <provider/model>', 'the model to use')
    .option('--agent <name>', "the agent of opencode's configuration to use")
}

function addQueueCommands(queue: Command, context: Context): void {
  const commands = () => import('./commands/queue.ts')
  finish(queue.command('list', { isDefault: true }).description('the tasks: state, age, issue, message'), []).action(
    async (options) => (await commands()).runQueueList(context, options),
  )
  finish(queue.command('enqueue <issue-ref> <message>').description('put a task into the queue'), [
    'kugetsu queue enqueue github.com/me/app#14 "fix the login bug"',
    'kugetsu queue enqueue me/app#14 - < task.md',
  ])
    .option('--base <branch>', 'the branch to start from (default: KUGETSU_BASE_BRANCH, else the remote HEAD)')
    .option('--model <provider/model>', 'the model to use')
    .option('--agent <name>', "the agent of opencode's configuration to use")
    .action(async (ref, message, options) => (await commands()).runQueueEnqueue(context, { ...options, ref, message }))
  finish(queue.command('stats').description('how many tasks there are, by state'), []).action(async (options) =>
    (await commands()).runQueueStats(context, options),
  )
  finish(queue.command('show <id>').description('one task with every attempt and what came of it'), []).action(
    async (id, options) => (await commands()).runQueueShow(context, { ...options, id }),
  )
  finish(queue.command('remove <id>').description('take a task out that no agent has yet'), []).action(
    async (id, options) => (await commands()).runQueueRemove(context, { ...options, id }),
  )
  finish(queue.command('retry <id>').description('put a task that ended as an error back'), []).action(
    async (id, options) => (await commands()).runQueueRetry(context, { ...options, id }),
  )
  finish(queue.command('clear').description('remove what ended longer than QUEUE_CLEANUP_AGE_DAYS ago'), [])
    .option('--all', 'all that ended')
    .action(async (options) => (await commands()).runQueueClear(context, options))
}

function addQueueDaemonCommands(daemon: Command, context: Context): void {
  const commands = () => import('./commands/queue-daemon.ts')
  finish(daemon.command('start').description('take tasks from the queue from now on'), []).action(async (options) =>
    (await commands()).runDaemonStart(context, options),
  )
  finish(daemon.command('stop').description('stop that; agents at work go on'), []).action(async (options) =>
    (await commands()).runDaemonStop(context, options),
  )
  finish(daemon.command('restart').description('stop and start'), []).action(async (options) =>
    (await commands()).runDaemonRestart(context, options),
  )
  finish(daemon.command('status').description('whether it runs; exit code 1 when not'), []).action(async (options) =>
    (await commands()).runDaemonStatus(context, options),
  )
  finish(daemon.command('logs [n]').description('the last n lines of its log (50)'), []).action(async (n, options) =>
    (await commands()).runDaemonLogs(context, { ...options, n }),
  )
  finish(daemon.command('run').description('the same in the foreground, for systemd and containers'), []).action(
    async () => (await import('./commands/supervise.ts')).runSupervise(context, { foreground: true }),
  )
}

function addServerCommands(server: Command, context: Context): void {
  const commands = () => import('./commands/server.ts')
  finish(server.command('list').description('all known servers'), []).action(async (options) =>
    (await commands()).runServerList(context, options),
  )
  finish(server.command('add <name> <url>').description('add a server, by name and URL'), [
    'kugetsu server add forge.test git://127.0.0.1:9418',
    'kugetsu server add work ssh://git@git.example.com --type gitea',
  ])
    .addOption(
      new Option('--type <forge>', 'the forge it speaks; guessed without').choices(['gitea', 'github', 'gitlab']),
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

/** What every command has: `--json`, `--debug`, examples. */
function finish(command: Command, examples: string[]): Command {
  command.option('--json', 'print JSON').option('--debug', 'print stacks of errors')
  const lines = examples.map((example) => `  ${example}`).join('\n')
  return lines === '' ? command : command.addHelpText('after', `\nExamples:\n${lines}`)
}

function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value
  throw new KugetsuError(`not a number of seconds: ${text}`, {
    hint: 'Give --timeout like this: --timeout 600',
    code: 'usage',
  })
}
