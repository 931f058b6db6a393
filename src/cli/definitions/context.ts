import type { Definitions } from './define.ts'

export const remembered: Definitions = {
  context: (command, context) => {
    const examples = ['kugetsu context app#14', 'kugetsu context app#14 --clear']
    command('context <issue-ref>', 'what was asked and answered on an issue, for when its session is lost', examples)
      .option('--clear', 'forget it')
      .action(async (ref, options) => (await import('../commands/context.ts')).runContext(context, { ...options, ref }))
  },
}
