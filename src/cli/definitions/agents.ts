import type { Command } from 'commander'
import { seconds, type Definitions } from './define.ts'

export const agents: Definitions = {
  start: (command, context) => {
    const start = command(
      'start <issue-ref> <message> [pr-url]',
      'have an agent work on an issue, in a worktree of its own',
      ['kugetsu start github.com/me/app#14 "fix the login bug"', 'kugetsu start me/app#14 - --wait < task.md'],
    )
    startFlags(start).action(async (ref, message, prUrl, options) =>
      (await import('../commands/start.ts')).runStart(context, { ...options, ref, message, prUrl, command: 'start' }),
    )
  },
  continue: (command, context) => {
    const description = 'give the agent of an issue its next message, or steer it while it works'
    const examples = ['kugetsu continue app#14 "add tests"', 'kugetsu continue app#14']
    const next = startFlags(command('continue <issue-ref> [message]', description, examples))
    next
      .option('--now', 'do not wait for a free slot: one agent more than MAX_CONCURRENT_AGENTS')
      .action(async (ref, message, options) =>
        (await import('../commands/start.ts')).runStart(context, { ...options, ref, message, command: 'continue' }),
      )
  },
  list: (command, context) => {
    command('list', 'the sessions: state, worktree, branch, age, pull request, cost', [
      'kugetsu list',
      'kugetsu list --json',
    ])
      .option('--all', 'also session files that are in no index')
      .action(async (options) => (await import('../commands/list.ts')).runList(context, options))
  },
  status: (command, context) => {
    command('status', 'whether kugetsu is ready, and what is at work').action(async (options) =>
      (await import('../commands/status.ts')).runStatus(context, options),
    )
  },
  logs: (command, context) => {
    const examples = ['kugetsu logs app#14', 'kugetsu logs -f app#14']
    command(
      'logs [what]',
      'the transcript of an issue, a task of the queue or pm-agent; or the last n delegations (10)',
      examples,
    )
      .option('-f, --follow', 'go on while the agent works')
      .action(async (what, options) => (await import('../commands/logs.ts')).runLogs(context, { ...options, what }))
  },
  attach: (command, context) => {
    command('attach <issue-ref>', "open opencode's terminal interface on the live session").action(
      async (ref, options) => (await import('../commands/attach.ts')).runAttach(context, { ...options, ref }),
    )
  },
  wait: (command, context) => {
    const examples = ['kugetsu wait app#14 app#15 --timeout 600']
    command('wait <issue-ref...>', 'return when the agents are done; the exit code tells how', examples)
      .option('--timeout <seconds>', 'how long to wait', seconds)
      .action(async (refs, options) => (await import('../commands/wait.ts')).runWait(context, { ...options, refs }))
  },
  stop: (command, context) => {
    command('stop <issue-ref>', 'stop the agent and the command it runs; session and worktree stay').action(
      async (ref, options) => (await import('../commands/stop.ts')).runStop(context, { ...options, ref }),
    )
  },
  context: (command, context) => {
    const examples = ['kugetsu context app#14', 'kugetsu context app#14 --clear']
    command('context <issue-ref>', 'what was asked and answered on an issue, for when its session is lost', examples)
      .option('--clear', 'forget it')
      .action(async (ref, options) => (await import('../commands/context.ts')).runContext(context, { ...options, ref }))
  },
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
