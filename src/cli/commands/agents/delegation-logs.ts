/** The transcripts of the messages to the PM agent: one file each. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../../../core/errors.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { clearDelegations } from '../../../daemon/retention.ts'
import { listDirectory } from '../../../platform/files.ts'
import type { Context } from '../../terminal/context.ts'
import { age, printJson, table } from '../../terminal/output.ts'

/** Lists the last `count` of them, once the old ones are removed, as the daemon does. */
export async function listDelegations(context: Context, count: number, options: { json?: boolean }): Promise<void> {
  const queue = context.queue()
  // With settings that cannot be read it is unknown what may go: then all stay.
  await clearDelegations(context, queue).catch((error: unknown) => {
    if (!(error instanceof KugetsuError)) throw error
  })
  const shown = count === 0 ? [] : delegationFiles(context).slice(-count)
  const listed = await Promise.all(
    shown.map(async ({ file, modified }) => {
      const id = path.basename(file, '.log').replace(/^delegate-/, '')
      const item = await queue.get(id).catch(() => undefined)
      const { state = null, message = null } = item ?? {}
      return { file, modified: modified.toISOString(), queue_item: item?.id ?? null, state, message }
    }),
  )
  if (options.json === true) return printJson(context, listed)
  if (shown.length === 0) return context.io.out('No delegation logs. For an agent: kugetsu logs <issue-ref>\n')
  const fit = { columns: context.io.columns, cutFirst: ['MESSAGE'] }
  context.io.out(
    table(
      ['LOG', 'AGE', 'STATE', 'MESSAGE'],
      listed.map(({ file, modified, state, message }) => [
        path.basename(file),
        age(modified, context.now()),
        state ?? '',
        plainLine(message ?? '', 200),
      ]),
      context.io.terminal ? fit : undefined,
    ),
  )
}

/** All of them, the last written one at the end. */
export function delegationFiles(context: Context): { file: string; modified: Date }[] {
  return listDirectory(context.paths.logs)
    .filter((name) => /^delegate-.*\.log$/.test(name))
    .flatMap((name) => {
      const file = path.join(context.paths.logs, name)
      const stat = fs.lstatSync(file, { throwIfNoEntry: false })
      return stat?.isFile() === true ? [{ file, modified: stat.mtime }] : []
    })
    .sort((a, b) => a.modified.getTime() - b.modified.getTime())
}
