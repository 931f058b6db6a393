import { plainLine } from '../../../core/plain-text.ts'
import { setPullRequest, type StoredPullRequest } from '../../../sessions/file/pull-requests.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled } from '../../terminal/output.ts'
import { trackedSession } from '../../refs.ts'

export interface SetPrOptions {
  ref: string
  url: string
  json?: boolean
}

/** `set-pr <issue-ref> <pr-url>`. */
export async function runSetPr(context: Context, options: SetPrOptions): Promise<void> {
  const { name, ref, record } = await trackedSession(context, options.ref)
  const issueRef = record.issue_ref ?? name
  const stored = await setPullRequest(context, name, ref, options.url)
  const { url, number, pullRequest, standing, unknown } = stored
  if (options.json === true) {
    return printJson(context, {
      issue_ref: issueRef,
      pr_url: url,
      number,
      state: pullRequest?.state ?? 'unknown',
      mergeable: standing.mergeable ?? null,
      ci: standing.ci ?? 'unknown',
      reason: unknown ?? null,
    })
  }
  context.io.out(`${styled(context, 'bold', issueRef)} has the pull request ${url}\n`)
  context.io.out(`  ${plainLine(inWords(stored), 300)}\n`)
}

function inWords({ pullRequest, standing, unknown }: StoredPullRequest): string {
  if (pullRequest === undefined) return `its state is not known: ${unknown ?? 'the forge did not say'}`
  const { mergeable } = standing
  const conflicts = mergeable === undefined ? undefined : mergeable ? 'no conflicts' : 'cannot be merged as it is'
  const checks = {
    success: 'checks passed',
    failure: 'checks failed',
    pending: 'checks still run',
    none: 'no checks',
    unknown: undefined,
  }[standing.ci ?? 'unknown']
  return [pullRequest.state, conflicts, checks].filter((word) => word !== undefined).join(', ')
}
