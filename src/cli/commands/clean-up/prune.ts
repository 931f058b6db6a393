import { KugetsuError, messageOf } from '../../../core/errors.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { requirePerson } from '../../../core/within-agent.ts'
import { counted } from '../../../core/wording.ts'
import type { Orphan } from '../../../sessions/cleanup/orphan.ts'
import { findOrphans } from '../../../sessions/cleanup/orphans.ts'
import { readIndex } from '../../../sessions/file/store.ts'
import { confirm } from '../../terminal/confirm.ts'
import { requireWith } from '../../flags.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled, tilde } from '../../terminal/output.ts'
import { wrap } from '../../terminal/wrap.ts'

export interface PruneOptions {
  force?: boolean
  yes?: boolean
  json?: boolean
}

/** `unknown`: it stays because it cannot be told what would be lost. */
type Fate = 'would_remove' | 'removed' | 'stays' | 'unknown' | 'failed'

interface Judged {
  orphan: Orphan
  fate: Fate
  reasons: string[]
}

const longest = 1000

export async function runPrune(context: Context, options: PruneOptions): Promise<void> {
  requireWith('-y', options.yes === true, '--force', options.force === true)
  const index = readIndex(context)
  if (index === undefined) {
    // Without an index everything would look left over.
    throw new KugetsuError('kugetsu is not initialised', { hint: 'Run "kugetsu init" first.', code: 'not_initialised' })
  }
  if (options.force === true) requirePerson(context.env, 'Report what "kugetsu prune" shows.')
  const judged: Judged[] = []
  for (const orphan of await findOrphans(context, index)) judged.push(await judge(orphan))
  const free = judged.filter(({ fate }) => fate === 'would_remove')
  if (options.force !== true || free.length === 0) return report(context, options, judged)
  // Asked only on a terminal: --force in a script is an answer, and nothing of value is removed.
  if (context.io.interactive && options.yes !== true) {
    if (options.json !== true) report(context, options, judged, 'asking')
    await confirm(context, options, `Remove ${counted(free.length, 'thing')}?`, {
      action: 'prune',
      declined: 'not pruned',
    })
  }
  for (const each of free) Object.assign(each, await removed(context, each.orphan))
  report(context, options, judged)
  if (judged.some(({ fate }) => fate === 'failed')) context.setExitCode(1)
}

async function judge(orphan: Orphan): Promise<Judged> {
  const { reasons, isUnclear } = await orphan.look().catch((error: unknown) => ({
    reasons: [`cannot tell: ${messageOf(error)}`],
    isUnclear: true,
  }))
  return { orphan, fate: reasons.length === 0 ? 'would_remove' : isUnclear ? 'unknown' : 'stays', reasons }
}

async function removed(context: Context, orphan: Orphan): Promise<Omit<Judged, 'orphan'>> {
  try {
    await orphan.remove()
    return { fate: 'removed', reasons: [] }
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof KugetsuError)) throw error
    if (error.code === 'work_at_risk' || error.code === 'busy') return { fate: 'stays', reasons: [error.message] }
    if (error.code === 'fetch_failed') return { fate: 'unknown', reasons: [`cannot tell: ${error.message}`] }
    return { fate: 'failed', reasons: [error.message] }
  }
}

const colours = { would_remove: 'green', removed: 'green', stays: 'yellow', unknown: 'yellow', failed: 'red' } as const
const kinds = {
  session: 'session',
  session_file: 'session file',
  index_entry: 'index entry',
  worktree: 'worktree',
  registration: 'worktree entry',
  mirror: 'mirror',
  recovery: 'saved work',
} as const

function report(context: Context, options: PruneOptions, judged: Judged[], asking?: 'asking'): void {
  if (options.json === true) {
    return printJson(
      context,
      judged.map(({ orphan: { kind, issueRef, what, why }, fate, reasons }) => ({
        kind,
        issue_ref: issueRef,
        what,
        why,
        fate,
        reasons,
      })),
    )
  }
  const { out, columns } = context.io
  if (judged.length === 0) return out('Nothing is left over\n')
  for (const { orphan, fate, reasons } of judged) {
    const word = fate === 'unknown' ? 'cannot tell' : fate.replace('_', ' ')
    const subject = orphan.issueRef !== null && orphan.kind.startsWith('session') ? orphan.issueRef : orphan.what
    const title = `${kinds[orphan.kind]} ${plainLine(tilde(context, subject), longest)}`
    out(`${styled(context, colours[fate], word.padEnd(14))}${title}\n`)
    const lines = [orphan.why, ...reasons.map((reason) => reason.replace(/^cannot tell: /, ''))]
    for (const line of lines) out(wrapped(plainLine(line, longest), columns))
  }
  if (asking === 'asking') return
  const count = (fate: Fate) => judged.filter((each) => each.fate === fate).length
  const stay = count('stays') + count('unknown')
  const parts = [
    count('removed') > 0 ? `Removed ${counted(count('removed'), 'thing')}` : '',
    count('would_remove') > 0 ? `${counted(count('would_remove'), 'thing')} can be removed: kugetsu prune --force` : '',
    stay > 0 ? `${counted(stay, 'thing')} ${stay === 1 ? 'stays' : 'stay'}` : '',
    count('failed') > 0 ? `${counted(count('failed'), 'thing')} could not be removed` : '',
  ]
  out(`\n${parts.filter((part) => part !== '').join('; ')}\n`)
}

const indent = ' '.repeat(14)

/** Indented under its title, broken at spaces where the terminal ends. */
function wrapped(text: string, columns: number): string {
  return `${indent}${wrap(text, Math.max(20, columns - indent.length), indent)}\n`
}
