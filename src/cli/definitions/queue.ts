import type { Command } from 'commander'
import { daemonCommand } from '../../daemon/names.ts'
import type { Context } from '../terminal/context.ts'
import { addTo, finish, type Definitions, type Subcommands } from '../define.ts'

export const queue: Definitions = {
  queue: (_, context, group, asked) =>
    addTo(group('queue', 'the tasks that wait for a free slot'), queueCommands, context, asked),
  'queue-daemon': (_, context, group) =>
    addQueueDaemonCommands(group('queue-daemon', 'what takes tasks from the queue, in the background'), context),
  [daemonCommand]: (command, context) => {
    command(daemonCommand, 'the daemon; started by the other commands').action(async () =>
      (await import('../commands/internal/supervise.ts')).runSupervise(context, { foreground: false }),
    )
  },
}

const commands = () => import('../commands/queue/queue.ts')

const queueCommands: Subcommands = {
  list: (queue, context) =>
    finish(queue.command('list', { isDefault: true }).description('the tasks: state, age, issue, message'), [
      'kugetsu queue',
    ]).action(async (options) => (await commands()).runQueueList(context, options)),
  enqueue: (queue, context) =>
    finish(queue.command('enqueue <issue-ref> <message>').description('put a task into the queue'), [
      'kugetsu queue enqueue github.com/me/app#14 "fix the login bug"',
      'kugetsu queue enqueue me/app#14 - < task.md',
    ])
      .option('--base <branch>', 'the branch to start from (default: KUGETSU_BASE_BRANCH, else the remote HEAD)')
      .option('--model <provider/model>', 'the model to use')
      .option('--agent <name>', "the agent of opencode's configuration to use")
      .action(async (ref, message, options) =>
        (await commands()).runQueueEnqueue(context, { ...options, ref, message }),
      ),
  stats: (queue, context) =>
    finish(queue.command('stats').description('how many tasks there are, by state'), ['kugetsu queue stats']).action(
      async (options) => (await commands()).runQueueStats(context, options),
    ),
  show: (queue, context) =>
    finish(queue.command('show <id>').description('one task with every attempt and what came of it'), [
      'kugetsu queue show 0417',
    ]).action(async (id, options) => (await commands()).runQueueShow(context, { ...options, id })),
  remove: (queue, context) =>
    finish(queue.command('remove <id>').description('take a task out that no agent has yet'), [
      'kugetsu queue remove q_1763722800000',
    ]).action(async (id, options) => (await commands()).runQueueRemove(context, { ...options, id })),
  retry: (queue, context) =>
    finish(queue.command('retry <id>').description('put a task that ended as an error back'), [
      'kugetsu queue retry q_1763722800000',
    ]).action(async (id, options) => (await commands()).runQueueRetry(context, { ...options, id })),
  clear: (queue, context) =>
    finish(queue.command('clear').description('remove what ended longer than QUEUE_CLEANUP_AGE_DAYS ago'), [
      'kugetsu queue clear --all',
    ])
      .option('--all', 'all that ended')
      .action(async (options) => (await commands()).runQueueClear(context, options)),
}

function addQueueDaemonCommands(daemon: Command, context: Context): void {
  const commands = () => import('../commands/queue/queue-daemon.ts')
  finish(daemon.command('start').description('take tasks from the queue from now on'), [
    'kugetsu queue-daemon start',
  ]).action(async (options) => (await commands()).runDaemonStart(context, options))
  finish(daemon.command('stop').description('stop that; agents at work go on'), ['kugetsu queue-daemon stop']).action(
    async (options) => (await commands()).runDaemonStop(context, options),
  )
  finish(daemon.command('restart').description('stop and start'), ['kugetsu queue-daemon restart']).action(
    async (options) => (await commands()).runDaemonRestart(context, options),
  )
  finish(
    daemon.command('status').description('whether it runs; exit code 1 when not'),
    ['kugetsu queue-daemon status || kugetsu queue-daemon start'],
    { 0: 'it takes tasks from the queue', 1: 'it does not' },
  ).action(async (options) => (await commands()).runDaemonStatus(context, options))
  finish(daemon.command('logs [n]').description('the last n lines of its log (50)'), [
    'kugetsu queue-daemon logs 100',
    'kugetsu queue-daemon logs -f',
  ])
    .option('-f, --follow', 'go on with what is added, until interrupted')
    .action(async (n, options) => (await commands()).runDaemonLogs(context, { ...options, n }))
  finish(daemon.command('run').description('the same in the foreground, for systemd and containers'), [
    'kugetsu queue-daemon run',
  ]).action(async () => (await import('../commands/internal/supervise.ts')).runSupervise(context, { foreground: true }))
}
