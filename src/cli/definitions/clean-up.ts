import type { Definitions } from '../define.ts'

export const cleanUp: Definitions = {
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
      .action(async (ref, options) =>
        (await import('../commands/clean-up/destroy.ts')).runDestroy(context, { ...options, ref }),
      )
  },
  'set-pr': (command, context) => {
    const examples = ['kugetsu set-pr app#14 https://github.com/me/app/pull/15']
    command(
      'set-pr <issue-ref> <pr-url>',
      'note the pull request of an issue; one of its branch is found by itself',
      examples,
    ).action(async (ref, url, options) =>
      (await import('../commands/agents/set-pr.ts')).runSetPr(context, { ...options, ref, url }),
    )
  },
  prune: (command, context) => {
    const examples = ['kugetsu prune', 'kugetsu prune --force']
    command('prune', 'show what nothing refers to any more: sessions, worktrees, mirrors, old saved work', examples)
      .option('--force', 'remove it, except where work would be lost')
      .option('-y, --yes', 'do not ask')
      .action(async (options) => (await import('../commands/clean-up/prune.ts')).runPrune(context, options))
  },
  recover: (command, context) => {
    const examples = [
      'kugetsu recover app#14',
      'kugetsu recover 1f0e44ab --to ~/old-work',
      'kugetsu recover --drop 1f0e44ab',
    ]
    command('recover [id-or-issue-ref]', 'the work that was saved before a removal; with a name, put it back', examples)
      .option('--to <directory>', 'into a directory of its own, on a branch of its own')
      .option('--drop <id>', 'remove saved work for good')
      .option('-y, --yes', 'with --drop: do not ask')
      .action(async (what, options) =>
        (await import('../commands/clean-up/recover.ts')).runRecover(context, { ...options, what }),
      )
  },
}
