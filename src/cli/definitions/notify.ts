import type { Command } from 'commander'
import type { Context } from '../terminal/context.ts'
import { finish, type Definitions } from '../define.ts'

export const notifications: Definitions = {
  notify: (_, context, group) => addNotifyCommands(group('notify', 'what happened to the tasks meanwhile'), context),
}

function addNotifyCommands(notify: Command, context: Context): void {
  const commands = () => import('../commands/queue/notify.ts')
  finish(notify.command('list', { isDefault: true }).description('what you have not read yet, newest last'), [
    'kugetsu notify',
    'kugetsu notify list --all',
  ])
    .option('--all', 'also what you have read')
    .action(async (options) => (await commands()).runNotifyList(context, options))
  finish(notify.command('clear').description('mark all as read'), ['kugetsu notify clear']).action(async (options) =>
    (await commands()).runNotifyClear(context, options),
  )
}
