import { pmShellCommand } from '../../core/pm-shell.ts'
import { seconds, type Definitions } from '../define.ts'

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
        (await import('../commands/agents/delegate.ts')).runDelegate(context, { ...options, message }),
      )
  },
  [pmShellCommand]: (command, context) => {
    command(`${pmShellCommand} <command>`, 'runs a shell command of the PM agent; called by its shell').action(
      async (text) => (await import('../commands/internal/pm-shell.ts')).runPmShell(context, { command: text }),
    )
  },
}
