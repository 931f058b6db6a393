import { Option, type Command } from 'commander'
import { seconds, type Definitions } from '../define.ts'

export const agents: Definitions = {
  start: (command, context) => {
    const start = command(
      'start <issue-ref> <message> [pr-url]',
      'have an agent work on an issue, in a worktree of its own',
      ['kugetsu start github.com/me/app#14 "fix the login bug"', 'kugetsu start me/app#14 - --wait < task.md'],
      startExits,
    )
    startFlags(start).action(async (ref, message, prUrl, options) =>
      (await import('../commands/agents/start.ts')).runStart(context, {
        ...options,
        ref,
        message,
        prUrl,
        command: 'start',
      }),
    )
  },
  continue: (command, context) => {
    const description = 'give the agent of an issue its next message, or steer it while it works'
    const examples = ['kugetsu continue app#14 "add tests"', 'kugetsu continue app#14']
    const next = startFlags(command('continue <issue-ref> [message]', description, examples, startExits))
    next
      .addOption(
        new Option('--now', 'do not wait for a free slot: one agent more than MAX_CONCURRENT_AGENTS').conflicts(
          'queue',
        ),
      )
      .action(async (ref, message, options) =>
        (await import('../commands/agents/start.ts')).runStart(context, {
          ...options,
          ref,
          message,
          command: 'continue',
        }),
      )
  },
  list: (command, context) => {
    command('list', 'the sessions: state, worktree, branch, age, pull request, cost', [
      'kugetsu list',
      'kugetsu list --json',
    ])
      .option('--all', 'also session files that are in no index')
      .action(async (options) => (await import('../commands/agents/list.ts')).runList(context, options))
  },
  status: (command, context) => {
    const examples = ['kugetsu status', 'kugetsu status --json']
    command('status', 'whether kugetsu is ready, and what is at work', examples).action(async (options) =>
      (await import('../commands/queue/status.ts')).runStatus(context, options),
    )
  },
  logs: (command, context) => {
    const examples = ['kugetsu logs app#14', 'kugetsu logs -f app#14']
    command(
      'logs [issue-ref|id|n]',
      'the transcript of an issue, a task of the queue or pm-agent; or the last n delegations (10)',
      examples,
    )
      .option('-f, --follow', 'go on while the agent works')
      .action(async (what, options) =>
        (await import('../commands/agents/logs.ts')).runLogs(context, { ...options, what }),
      )
  },
  attach: (command, context) => {
    const examples = ['kugetsu attach app#14']
    command('attach <issue-ref>', "open opencode's terminal interface on the live session", examples).action(
      async (ref, options) => (await import('../commands/agents/attach.ts')).runAttach(context, { ...options, ref }),
    )
  },
  wait: (command, context) => {
    const examples = ['kugetsu wait app#14 app#15 --timeout 600']
    const exits = { 0: 'all ended well', 1: 'one did not', 124: 'out of time' }
    command('wait <issue-ref...>', 'return when the agents are done; the exit code tells how', examples, exits)
      .option('--timeout <seconds>', 'how long to wait', seconds)
      .action(async (refs, options) =>
        (await import('../commands/agents/wait.ts')).runWait(context, { ...options, refs }),
      )
  },
  explain: (command, context) => {
    const examples = ['kugetsu explain app#14', 'kugetsu explain q_1763722800000']
    command(
      'explain <issue-ref|id>',
      'why an issue or a task is not running, failed or was refused, and what to do next',
      examples,
    ).action(async (what, options) =>
      (await import('../commands/agents/explain.ts')).runExplain(context, { ...options, what }),
    )
  },
  stop: (command, context) => {
    const examples = ['kugetsu stop app#14']
    command('stop <issue-ref>', 'stop the agent and the command it runs; session and worktree stay', examples).action(
      async (ref, options) => (await import('../commands/agents/stop.ts')).runStop(context, { ...options, ref }),
    )
  },
  context: (command, context) => {
    const examples = ['kugetsu context app#14', 'kugetsu context app#14 --clear']
    command('context <issue-ref>', 'what was asked and answered on an issue, for when its session is lost', examples)
      .option('--clear', 'forget it')
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
    .option('--queue', 'with no free slot: put it into the queue')
    .option('--wait', 'return when the agent is done; the exit code tells how')
    .option('--timeout <seconds>', 'with --wait: how long to wait', seconds)
    .option('--fresh', 'begin anew in a new worktree and session, after saving the work of the old one')
    .option('--base <branch>', 'the branch to start from (default: KUGETSU_BASE_BRANCH, else the remote HEAD)')
    .option('--model <provider/model>', 'the model to use')
    .option('--agent <name>', "the agent of opencode's configuration to use")
}
