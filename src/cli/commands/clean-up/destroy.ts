import { KugetsuError } from '../../../core/errors.ts'
import { isPmAgent } from '../../../core/within-agent.ts'
import { supervisionOf } from '../../../daemon/control.ts'
import { destroyBase, destroyIssue, destroyPmAgent, type Destroyed } from '../../../sessions/cleanup/destroy.ts'
import { recoveryDays } from '../../../worktrees/mirror/recovery-refs.ts'
import { confirm } from '../../terminal/confirm.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson } from '../../terminal/output.ts'
import { trackedSession } from '../../refs.ts'

export interface DestroyOptions {
  ref?: string | undefined
  yes?: boolean
  force?: boolean
  pmAgent?: boolean
  base?: boolean
  json?: boolean
}

const words = { action: 'destroy', declined: 'not destroyed' }

export async function runDestroy(context: Context, options: DestroyOptions): Promise<void> {
  const chosen = [options.ref !== undefined, options.pmAgent === true, options.base === true].filter(Boolean)
  if (chosen.length !== 1) {
    const several = 'destroy takes only one of an issue ref, --pm-agent and --base'
    throw new KugetsuError(chosen.length > 1 ? several : 'say what to destroy: an issue ref, --pm-agent or --base', {
      hint: 'kugetsu destroy <issue-ref>, kugetsu destroy --pm-agent, or kugetsu destroy --base',
      code: 'usage',
    })
  }
  if (isPmAgent(context.env) && (options.ref === undefined || options.force === true)) {
    throw new KugetsuError('the PM agent may not do this: a person decides it', {
      hint: 'Report the reason that "kugetsu destroy" gives without --force.',
      code: 'not_for_pm_agent',
    })
  }
  const supervision = supervisionOf(context)
  const force = { force: options.force === true }
  if (options.ref !== undefined) {
    const { name, record } = await trackedSession(context, options.ref)
    await confirm(context, options, `Destroy worktree and session of ${record.issue_ref}?`, words)
    return report(context, options, [await destroyIssue(context, supervision, name, force)])
  }
  if (options.pmAgent === true) {
    await confirm(context, options, 'Destroy the PM agent session?', words)
    await destroyPmAgent(context, supervision, force)
    return report(context, options, [])
  }
  await confirm(context, options, 'Destroy the base session, the PM agent and ALL issue sessions and worktrees?', words)
  return report(context, options, await destroyBase(context, supervision, force))
}

function report(context: Context, options: DestroyOptions, destroyed: Destroyed[]): void {
  if (options.json === true) {
    const what = options.base === true ? 'base' : options.pmAgent === true ? 'pm-agent' : 'issue'
    return printJson(context, {
      destroyed: what,
      issues: destroyed.map(({ issueRef, recovery }) => ({ issue_ref: issueRef, recovery_ref: recovery?.ref ?? null })),
    })
  }
  for (const { issueRef, recovery } of destroyed) {
    context.io.out(`Destroyed ${issueRef}\n`)
    if (recovery === undefined) continue
    context.io.out(`  Its work is kept for ${recoveryDays} days as ${recovery.ref}\n`)
    context.io.out(`  To get it back: kugetsu recover ${issueRef}\n`)
  }
  if (options.pmAgent === true) context.io.out('Destroyed the PM agent session\n')
  if (options.base === true)
    context.io.out('Destroyed the base session and the PM agent; "kugetsu init" makes new ones\n')
}
