import type { Command } from 'commander'
import { daemonCommand } from '../../daemon/names.ts'
import type { Context } from '../terminal/context.ts'
import { addTo, finish, type Definitions, type Subcommands } from '../define.ts'

export const queue: Definitions = {
  queue: (_, context, group, asked) =>
    addTo(group('queue', 'Manage the tasks that wait for a free slot'), queueCommands, context, asked),
  'queue-daemon': (_, context, group) =>
    addQueueDaemonCommands(group('queue-daemon', 'Run queued tasks in the background'), context),
  [daemonCommand]: (command, context) => {
    command(daemonCommand, 'Run the daemon; started by the other commands').action(async () =>
      (await import('../commands/internal/supervise.ts')).runSupervise(context, { foreground: false }),
    )
  },
}

const commands = () => import('../commands/queue/queue.ts')
const lists = () => import('../commands/queue/queue-list.ts')

const queueCommands: Subcommands = {
  list: (queue, context) =>
    finish(queue.command('list', { isDefault: true }).description('List tasks: state, age, issue, message'), [
      'kugetsu queue',
    ]).action(async (options) => (await lists()).runQueueList(context, options)),
  enqueue: (queue, context) =>
    finish(queue.command('enqueue <issue-ref> <message>').description('Add a task to the queue'), [
      'kugetsu queue enqueue github.com/me/app#14 "fix the login bug"',
      'kugetsu queue enqueue me/app#14 - < task.md',
    ])
      .option('--base <branch>', 'Start from this branch (default: KUGETSU_BASE_BRANCH, else the remote HEAD)')
      .option('--model <provider/model>', 'Use this model')
      .option('--agent <name>', "Use this agent of opencode's configuration")
      .action(async (ref, message, options) =>
        (await commands()).runQueueEnqueue(context, { ...options, ref, message }),
      ),
  stats: (queue, context) =>
    finish(queue.command('stats').description('Count the tasks by state'), ['kugetsu queue stats']).action(
      async (options) => (await lists()).runQueueStats(context, options),
    ),
  show: (queue, context) =>
    finish(queue.command('show <issue-ref|id>').description('Show a task with its attempts and its result'), [
      'kugetsu queue show app#14',
    ]).action(async (id, options) => (await commands()).runQueueShow(context, { ...options, id })),
  remove: (queue, context) =>
    finish(queue.command('remove <issue-ref|id>').description('Remove a task that no agent has yet'), [
      'kugetsu queue remove q_1763722800000',
    ]).action(async (id, options) => (await commands()).runQueueRemove(context, { ...options, id })),
  retry: (queue, context) =>
    finish(queue.command('retry <issue-ref|id>').description('Queue a failed task again'), [
      'kugetsu queue retry q_1763722800000',
    ]).action(async (id, options) => (await commands()).runQueueRetry(context, { ...options, id })),
  clear: (queue, context) =>
    finish(queue.command('clear').description('Remove tasks that ended more than QUEUE_CLEANUP_AGE_DAYS ago'), [
      'kugetsu queue clear --all',
    ])
      .option('--all', 'Remove all tasks that ended')
      .action(async (options) => (await commands()).runQueueClear(context, options)),
}

function addQueueDaemonCommands(daemon: Command, context: Context): void {
  const commands = () => import('../commands/queue/queue-daemon.ts')
  finish(daemon.command('start').description('Start the daemon, which takes tasks from the queue from now on'), [
    'kugetsu queue-daemon start',
  ]).action(async (options) => (await commands()).runDaemonStart(context, options))
  finish(daemon.command('stop').description('Stop the daemon; running agents continue'), [
    'kugetsu queue-daemon stop',
  ]).action(async (options) => (await commands()).runDaemonStop(context, options))
  finish(daemon.command('restart').description('Restart the daemon'), ['kugetsu queue-daemon restart']).action(
    async (options) => (await commands()).runDaemonRestart(context, options),
  )
  finish(
    daemon.command('status').description('Show whether the daemon runs; exit with 1 if it does not'),
    ['kugetsu queue-daemon status || kugetsu queue-daemon start'],
    { 0: 'it takes tasks from the queue', 1: 'it does not' },
  ).action(async (options) => (await commands()).runDaemonStatus(context, options))
  finish(daemon.command('logs [n]').description('Print the last n lines of its log (default 50)'), [
    'kugetsu queue-daemon logs 100',
    'kugetsu queue-daemon logs -f',
  ])
    .option('-f, --follow', 'Follow the log until interrupted')
    .action(async (n, options) => (await commands()).runDaemonLogs(context, { ...options, n }))
  finish(daemon.command('run').description('Run the daemon in the foreground, for systemd and containers'), [
    'kugetsu queue-daemon run',
  ]).action(async () => (await import('../commands/internal/supervise.ts')).runSupervise(context, { foreground: true }))
}
