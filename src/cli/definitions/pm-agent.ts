import { pmShellCommand } from '../../core/pm-shell.ts'
import { seconds, type Definitions } from '../define.ts'

export const pmAgent: Definitions = {
  delegate: (command, context) => {
    command('delegate <message>', 'Ask the planner (the PM agent), which breaks work down and hands it out', [
      'kugetsu delegate "start on the open bugs of github.com/me/app"',
      'kugetsu delegate "how does app#14 stand?" --wait',
      'kugetsu delegate - < plan.md',
    ])
      .option('--wait', 'Wait for the answer and print it')
      .option('--timeout <seconds>', 'With --wait, stop waiting after this many seconds, or 10m, 2h', seconds)
      .action(async (message, options) =>
        (await import('../commands/agents/delegate.ts')).runDelegate(context, { ...options, message }),
      )
  },
  [pmShellCommand]: (command, context) => {
    command(`${pmShellCommand} <command>`, 'Run a shell command of the PM agent; called by its shell').action(
      async (text) => (await import('../commands/internal/pm-shell.ts')).runPmShell(context, { command: text }),
    )
  },
}
