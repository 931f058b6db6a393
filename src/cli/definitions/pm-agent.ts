import { seconds, type Definitions } from './define.ts'

export const pmAgent: Definitions = {
  delegate: (command, context) => {
    command('delegate <message>', 'put a message for the PM agent, who hands work out, into the queue', [
      'kugetsu delegate "start on the open bugs of github.com/me/app"',
      'kugetsu delegate "how does app#14 stand?" --wait',
      'kugetsu delegate - < plan.md',
    ])
      .option('--wait', 'return when it has answered, and print the answer')
      .option('--timeout <seconds>', 'with --wait: how long to wait', seconds)
      .action(async (message, options) =>
        (await import('../commands/delegate.ts')).runDelegate(context, { ...options, message }),
      )
  },
}
