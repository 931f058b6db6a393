import { Option, type Command } from 'commander'
import { statuses } from '../../sessions/status/status.ts'
import { collect, count, once, seconds, type Definitions } from '../define.ts'

export const agents: Definitions = {
  start: (command, context) => {
    const start = command(
      'start <issue-ref> [message] [pr-url]',
      'Start an agent on an issue, in a worktree of its own',
      [
        'kugetsu start https://github.com/me/app/issues/14',
        'kugetsu start github.com/me/app#14 "fix the login bug"',
        'kugetsu start me/app#14 me/app#15 --queue -m - < task.md',
      ],
      startExits,
    )
    startFlags(start).action(async (_ref, _message, _prUrl, options, { args: words }: Command) =>
      (await import('../commands/agents/start.ts')).runStart(context, { ...options, words, command: 'start' }),
    )
  },
  continue: (command, context) => {
    const description = "Send an issue's agent its next message, or steer it while it works"
    const examples = [
      'kugetsu continue app#14 "add tests"',
      'kugetsu continue app#14',
      'kugetsu continue app#14 app#15 -m "rebase on main"',
    ]
    const next = startFlags(command('continue <issue-ref> [message]', description, examples, startExits))
    next
      .addOption(new Option('--now', 'Start without a free slot, beyond MAX_CONCURRENT_AGENTS').conflicts('queue'))
      .action(async (_ref, _message, options, { args: words }: Command) =>
        (await import('../commands/agents/start.ts')).runStart(context, { ...options, words, command: 'continue' }),
      )
  },
  list: (command, context) => {
    const examples = ['kugetsu list', 'kugetsu list --status failed,waiting', 'kugetsu list --json']
    command('list', 'List issues: what each is doing, its task, branch, pull request, cost', examples)
      .option('-w, --watch', 'Show the list again whenever it changes')
      .option('--status <word>', `Only issues with this status: ${statuses.join(', ')}`, collect)
      .option('--repo <owner/repo>', 'Only issues of this repository')
      .option('-n, --limit <count>', 'At most this many', count)
      .option('--all', 'Add the base session, the PM agent, sessions that the index lacks, and session ids')
      .action(async (options) => (await import('../commands/agents/list.ts')).runList(context, options))
  },
  status: (command, context) => {
    const examples = ['kugetsu status', 'kugetsu status --line']
    command('status', 'Show whether kugetsu is ready and what is running', examples)
      .addOption(new Option('--line', 'Print one line, for a prompt or a status bar').conflicts('json'))
      .action(async (options) => (await import('../commands/queue/status.ts')).runStatus(context, options))
  },
  logs: (command, context) => {
    const examples = ['kugetsu logs -f app#14', 'kugetsu logs app#14 --last', 'kugetsu logs app#14 --since 10m']
    command(
      'logs [issue-ref|id|n]',
      'Print the transcript of an issue, a queued task or pm-agent, or list the last n delegations (default 10)',
      examples,
    )
      .option('-f, --follow', 'Follow the transcript while the agent works')
      .option('-n, --lines <count>', 'Only the last lines, at most this many', count)
      .option('--since <time>', 'Only from this time on: 10m, 2h, 14:30, 2026-05-01')
      .option('--last', 'Only the last thing that the agent said')
      .option('--grep <text>', 'Only the parts with this text')
      .option('--delegations [count]', 'List the last messages to the PM agent (default 10)', count)
      .action(async (what, options) =>
        (await import('../commands/agents/logs.ts')).runLogs(context, { ...options, what }),
      )
  },
  attach: (command, context) => {
    const examples = ['kugetsu attach app#14']
    command('attach <issue-ref>', "Open opencode's terminal interface on a live session", examples).action(
      async (ref, options) => (await import('../commands/agents/attach.ts')).runAttach(context, { ...options, ref }),
    )
  },
  path: (command, context) => {
    const examples = ['cd "$(kugetsu path app#14)"', 'kugetsu path app#14 app#15']
    command('path <issue-ref...>', 'Print the paths of worktrees, one a line', examples, {
      1: 'failed; with several refs, one of them has no worktree',
    }).action(async (refs, options) =>
      (await import('../commands/agents/path.ts')).runPath(context, { ...options, refs }),
    )
  },
  open: (command, context) => {
    const examples = ['kugetsu open app#14', 'VISUAL="code -n" kugetsu open app#14', 'kugetsu open app#14 --web']
    command('open <issue-ref>', 'Open the worktree in $VISUAL or $EDITOR, or the issue in a browser', examples, {
      0: 'done, or the exit code of the editor',
    })
      .option('--web', 'Open the pull request in a browser, or the issue while it has none')
      .option('--issue', 'Open the issue in a browser, even if it has a pull request')
      .action(async (ref, options) =>
        (await import('../commands/agents/open.ts')).runOpen(context, { ...options, ref }),
      )
  },
  push: (command, context) => {
    const examples = ['kugetsu push app#14']
    const description = "Push the branch of an issue with the agents' login, never by force"
    command('push <issue-ref>', description, examples, {
      0: 'done, or the remote has it all',
      1: 'failed, and nothing was pushed',
    }).action(async (ref, options) =>
      (await import('../commands/agents/push.ts')).runPush(context, { ...options, ref }),
    )
  },
  wait: (command, context) => {
    const examples = ['kugetsu wait app#14 app#15 --timeout 600']
    const exits = { 0: 'all ended well', 1: 'one did not', 124: 'out of time' }
    command('wait <issue-ref...>', 'Wait until the agents are done; the exit code says how they ended', examples, exits)
      .option('--timeout <seconds>', 'Stop waiting after this many seconds, or 10m, 2h', seconds)
      .action(async (refs, options) =>
        (await import('../commands/agents/wait.ts')).runWait(context, { ...options, refs }),
      )
  },
  explain: (command, context) => {
    const examples = ['kugetsu explain app#14', 'kugetsu explain q_1763722800000']
    command(
      'explain <issue-ref|id>',
      'Explain why an issue or task is not running, failed or was refused, and what to do next',
      examples,
    ).action(async (what, options) =>
      (await import('../commands/agents/explain.ts')).runExplain(context, { ...options, what }),
    )
  },
  stop: (command, context) => {
    const examples = ['kugetsu stop app#14 app#15', 'kugetsu stop --all']
    const does = 'Stop agents and the commands they run; keep sessions and worktrees'
    command('stop [issue-ref...]', does, examples)
      .option('--all', 'All agents, and the tasks in the queue')
      .option('--status <word>', 'The issues with this status', collect)
      .option('-y, --yes', 'With --all or --status, skip the question')
      .action(async (refs, options) =>
        (await import('../commands/agents/stop.ts')).runStop(context, { ...options, refs }),
      )
  },
  context: (command, context) => {
    const examples = ['kugetsu context app#14', 'kugetsu context app#14 --clear']
    command('context <issue-ref>', 'Print the short history of an issue that a new session is given', examples)
      .option('--clear', 'Delete it')
      .action(async (ref, options) =>
        (await import('../commands/agents/context.ts')).runContext(context, { ...options, ref }),
      )
  },
}

const startExits = {
  1: 'failed, or --wait and the agent did not end well',
  2: 'no free slot and nothing was made',
  124: '--timeout is over, the agent works on',
}

/** The flags of `start` and `continue`. */
function startFlags(command: Command): Command {
  return command
    .allowExcessArguments() // with -m each word is an issue
    .option('-m, --message <text>', 'Give this message to each of the issues named; - is standard input', once)
    .option('--queue', 'Queue the task when no slot is free')
    .option('--wait', 'Wait until the agent is done; the exit code says how it ended')
    .option('--timeout <seconds>', 'With --wait, stop waiting after this many seconds, or 10m, 2h', seconds)
    .option('--fresh', 'Save the work of the old worktree and session, then start in new ones')
    .option('--base <branch>', 'Start from this branch (default: KUGETSU_BASE_BRANCH, else the remote HEAD)')
    .option('--model <provider/model>', 'Use this model')
    .option('--agent <name>', "Use this agent of opencode's configuration")
}
