import * as fs from 'node:fs'
import { KugetsuError } from '../../../core/errors.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { counted } from '../../../core/wording.ts'
import { down, purge, requireHome, type Purged } from '../../../ending/down.ts'
import { isAtRest, whatRuns, type Running } from '../../../ending/end-all.ts'
import { onlyHere, type OnlyHere } from '../../../ending/only-here.ts'
import { sessionsOfIssues, readSessions } from '../../../sessions/file/store.ts'
import { listMirrors } from '../../../worktrees/mirror/list.ts'
import { confirm } from '../../terminal/confirm.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, tilde } from '../../terminal/output.ts'
import { describeError } from '../../terminal/render-error.ts'
import { wrap } from '../../terminal/wrap.ts'

export interface DownOptions {
  purge?: boolean
  yes?: boolean
  json?: boolean
}

const longest = 1000
const words = { action: 'down', declined: 'nothing was ended' }

/** Ends the agents, the daemon and the server; with `purge` removes the home too, unless something is only there. */
export async function runDown(context: Context, options: DownOptions): Promise<void> {
  if (context.env['KUGETSU_AGENT']) {
    throw new KugetsuError('an agent may not do this: a person decides it', {
      hint: 'It would end this agent too.',
      code: 'not_for_pm_agent',
    })
  }
  if (!fs.existsSync(context.paths.home)) return nothingThere(context, options)
  return options.purge === true ? runPurge(context, options) : runEnd(context, options)
}

function nothingThere(context: Context, options: DownOptions): void {
  if (options.json === true) return printJson(context, { ...report(nothing), purged: options.purge === true })
  context.io.out(`Nothing is running, and ${tilde(context, context.paths.home)} does not exist\n`)
}

const nothing: Running = { agents: [], starts: [], daemon: undefined, dispatching: false, server: undefined }

async function runEnd(context: Context, options: DownOptions): Promise<void> {
  const before = await whatRuns(context)
  if (before.agents.length + before.starts.length > 0) {
    await confirm(context, options, `End ${inWords(before)}?`, words)
  }
  const ended = await down(context)
  if (options.json === true) return printJson(context, { ...report(ended), purged: false })
  printEnded(context, ended)
  if (isAtRest(context, ended)) return
  const [first] = ended.agents.filter((ref) => ref !== 'pm-agent')
  const next = [
    ...(first === undefined ? [] : [`kugetsu continue ${first} "…"`]),
    ...(ended.dispatching ? ['kugetsu queue-daemon start'] : []),
  ]
  context.io.out('Sessions, worktrees and tasks stay.')
  context.io.out(next.length === 0 ? '\n' : ` To go on: ${next.join('; ')}\n`)
}

async function runPurge(context: Context, options: DownOptions): Promise<void> {
  requireHome(context)
  context.progress('looking for work that is only here', 'passing')
  const found = await onlyHere(context)
  if (found.length > 0) return refuse(context, options, found)
  const running = inWords(await whatRuns(context))
  const parts = [
    counted(sessionsOfIssues(readSessions(context)).length, 'issue'),
    counted(listMirrors(context.paths).length, 'repository', 'repositories'),
    'the queue, transcripts, settings and tokens',
  ]
  const first = running === '' ? '' : `End ${running}, and remove`
  const question = `${first || 'Remove'} ${tilde(context, context.paths.home)} with ${parts.join(', ')}?`
  await confirm(context, options, question, { action: 'down --purge', declined: 'nothing was removed' })
  const purged = await purge(context)
  if (options.json === true) {
    const { running: ended, left, installed } = purged
    return printJson(context, { ...report(ended), purged: true, left, removed: [context.paths.home, ...installed] })
  }
  printPurged(context, purged)
}

function refuse(context: Context, options: DownOptions, found: OnlyHere[]): void {
  const error = new KugetsuError(`nothing was ended or removed: ${counted(found.length, 'thing')} would be lost`, {
    hint: 'Bring each of them elsewhere, with the commands above, and try again.',
    code: 'work_at_risk',
  })
  if (options.json === true) {
    context.setExitCode(error.exitCode)
    return printJson(context, { error: describeError(error), only_here: found })
  }
  const { err, columns } = context.io
  err('Only here:\n')
  for (const { what, reasons, next } of found) {
    err(`  ${plainLine(tilde(context, what), longest)}\n`)
    for (const reason of reasons) err(`    ${wrap(plainLine(reason, longest), Math.max(20, columns - 4), '    ')}\n`)
    for (const command of next) err(`      ${plainLine(command, longest)}\n`)
  }
  throw error
}

function printPurged(context: Context, { running, left, installed }: Purged): void {
  const { out } = context.io
  printEnded(context, running, '')
  for (const place of installed) out(`Removed ${tilde(context, place)}\n`)
  const home = tilde(context, context.paths.home)
  if (left.length > 0) {
    out(`Removed what is kugetsu's in ${home}. Not kugetsu's, so still there:\n`)
    for (const place of left) out(`  ${plainLine(tilde(context, place), longest)}\n`)
  } else out(`Removed ${home}\n`)
  out('Still there: opencode with its settings and logins, and kugetsu itself (npm uninstall -g kugetsu)\n')
}

function printEnded(context: Context, ended: Running, none = 'Nothing is running\n'): void {
  const { out } = context.io
  if (isAtRest(context, ended)) return out(none)
  for (const ref of ended.agents) out(`Stopped ${plainLine(ref, longest)}\n`)
  for (const ref of ended.starts) out(`Stopped the start of ${plainLine(ref, longest)}\n`)
  if (ended.daemon !== undefined) out(`Ended the daemon (pid ${ended.daemon})\n`)
  if (ended.server !== undefined) out(`Ended the opencode server (pid ${ended.server})\n`)
}

function inWords({ agents, starts, daemon, server }: Running): string {
  const named = (refs: string[], thing: string) =>
    refs.length === 0 ? [] : [`${counted(refs.length, thing)} (${plainLine(refs.join(', '), 300)})`]
  const all = [
    ...named(agents, 'agent'),
    ...named(starts, 'start'),
    ...(daemon === undefined ? [] : ['the daemon']),
    ...(server === undefined ? [] : ['the opencode server']),
  ]
  return [...(all.length > 1 ? [all.slice(0, -1).join(', ')] : []), ...all.slice(-1)].join(' and ')
}

function report({ agents, starts, daemon, server }: Running): object {
  return { agents, starts, daemon: daemon ?? null, server: server ?? null }
}
