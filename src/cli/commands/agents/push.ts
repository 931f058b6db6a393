import { cloneUrlOf } from '../../../config/repositories.ts'
import { withoutCredentials } from '../../../config/remote-url.ts'
import { requirePerson } from '../../../core/within-agent.ts'
import { counted } from '../../../core/wording.ts'
import { webPagesOf } from '../../../forges/web-pages.ts'
import { isWebUrl } from '../../../forges/pull-request-url.ts'
import { mirrorOf } from '../../../sessions/file/worktree-handles.ts'
import { pushBranch } from '../../../worktrees/push.ts'
import { note } from '../../../activity/journal.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson } from '../../terminal/output.ts'
import { worktreeOfRef } from '../../worktree.ts'

/** Pushes the branch of an issue with the agents' login, and says how to open a pull request. */
export async function runPush(context: Context, options: { ref: string; json?: boolean }): Promise<void> {
  requirePerson(context.env, 'Report that the branch is not pushed.')
  const { ref, record, label, path } = await worktreeOfRef(context, options.ref)
  const url = cloneUrlOf(context, ref)
  const pushed = await pushBranch({
    mirror: mirrorOf(context, ref),
    path,
    label,
    url,
    base: record.base_branch ?? undefined,
  })
  const { branch, commits, base, uncommitted } = pushed
  if (commits > 0) note(context, 'pushed', { issue_ref: label, reason: `${counted(commits, 'commit')} to ${branch}` })
  const isAtWork = Boolean(record.run) || record.state === 'starting'
  const known = record.pr_url && isWebUrl(record.pr_url) ? record.pr_url : undefined
  const page = known === undefined ? webPagesOf(context, ref)?.newPullRequest(branch, base) : undefined
  if (options.json === true) {
    return printJson(context, {
      issue_ref: label,
      branch,
      remote: withoutCredentials(url),
      commits,
      uncommitted,
      agent_at_work: isAtWork,
      pr_url: known ?? null,
      new_pr_url: page ?? null,
    })
  }
  const { out } = context.io
  if (commits > 0) out(`Pushed ${counted(commits, 'commit')} of ${label} to ${branch}\n`)
  else out(`Nothing to push: the remote has all commits of ${label}\n`)
  if (uncommitted > 0) out(`  ${counted(uncommitted, 'file')} not committed, so not pushed\n`)
  if (isAtWork) out('  Its agent is at work: push again when it has ended\n')
  if (known !== undefined) out(`  Pull request: ${known}\n`)
  else if (page !== undefined && commits > 0) out(`  Open a pull request: ${page}\n`)
}
