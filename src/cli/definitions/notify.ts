import type { Command } from 'commander'
import type { Context } from '../terminal/context.ts'
import { finish, type Definitions } from '../define.ts'

export const notifications: Definitions = {
  notify: (_, context, group) => addNotifyCommands(group('notify', 'Read what happened to the tasks'), context),
}

function addNotifyCommands(notify: Command, context: Context): void {
  const commands = () => import('../commands/queue/notify.ts')
  finish(notify.command('list', { isDefault: true }).description('List what you have not read yet, newest last'), [
    'kugetsu notify',
    'kugetsu notify list --all',
  ])
    .option('--all', 'Include what you have read')
    .action(async (options) => (await commands()).runNotifyList(context, options))
  finish(notify.command('clear').description('Mark all as read'), ['kugetsu notify clear']).action(async (options) =>
    (await commands()).runNotifyClear(context, options),
  )
}
