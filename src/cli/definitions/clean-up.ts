import { collect, type Definitions } from '../define.ts'

export const cleanUp: Definitions = {
  destroy: (command, context) => {
    const examples = ['kugetsu destroy app#14 app#15', 'kugetsu destroy --merged', 'kugetsu destroy app#14 -y --force']
    command('destroy [issue-ref...]', 'Remove the worktree and session of issues, unless work would be lost', examples)
      .option('-y, --yes', 'Skip the question')
      .option('--force', 'Stop the agent, save the work under a recovery ref, and go on')
      .option('--all', 'All issues without an agent at work; with --force, all issues')
      .option('--merged', 'The issues with a merged pull request')
      .option('--status <word>', 'The issues with this status', collect)
      .option('--pm-agent', 'Remove the PM agent session instead of an issue')
      .option('--base', 'Remove the base session, the PM agent and all issue sessions')
      .action(async (refs, options) =>
        (await import('../commands/clean-up/destroy.ts')).runDestroy(context, { ...options, refs }),
      )
  },
  'set-pr': (command, context) => {
    const examples = ['kugetsu set-pr app#14 https://github.com/me/app/pull/15']
    command(
      'set-pr <issue-ref> <pr-url>',
      'Record the pull request of an issue; one from the branch of the issue is found automatically',
      examples,
    ).action(async (ref, url, options) =>
      (await import('../commands/agents/set-pr.ts')).runSetPr(context, { ...options, ref, url }),
    )
  },
  prune: (command, context) => {
    const examples = ['kugetsu prune', 'kugetsu prune --force']
    command('prune', 'List leftovers: sessions, worktrees, mirrors, old saved work; --force removes them', examples)
      .option('--force', 'Remove it, unless work would be lost')
      .option('-y, --yes', 'Skip the question')
      .action(async (options) => (await import('../commands/clean-up/prune.ts')).runPrune(context, options))
  },
  down: (command, context) => {
    const examples = ['kugetsu down', 'kugetsu down --yes', 'kugetsu down --purge']
    command('down', 'End all agents, the daemon and the opencode server; keep sessions and worktrees', examples, {
      0: 'done, also when nothing ran',
      1: 'failed, or work is only here and nothing was removed',
    })
      .option('--purge', 'Remove the home too, with its sessions in opencode, unless work would be lost')
      .option('-y, --yes', 'Skip the question')
      .action(async (options) => (await import('../commands/clean-up/down.ts')).runDown(context, options))
  },
  recover: (command, context) => {
    const examples = [
      'kugetsu recover app#14',
      'kugetsu recover 1f0e44ab --to ~/old-work',
      'kugetsu recover --drop 1f0e44ab',
    ]
    command('recover [id-or-issue-ref]', 'List the work that was saved before a removal, or put it back', examples)
      .option('--to <directory>', 'Put it into this directory, on a branch of its own')
      .option('--drop <id>', 'Delete saved work for good')
      .option('-y, --yes', 'With --drop, skip the question')
      .action(async (what, options) =>
        (await import('../commands/clean-up/recover.ts')).runRecover(context, { ...options, what }),
      )
  },
}
