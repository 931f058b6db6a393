import * as fs from 'node:fs'
import { KugetsuError } from '../../core/errors.ts'
import type { SessionRecord } from '../file/session-file.ts'

/** What a person may ask for beside the message. */
interface Wishes {
  base?: string | undefined
  model?: string | undefined
  agent?: string | undefined
  prUrl?: string | undefined
  fresh?: boolean | undefined
}

/**
 * Throws KugetsuError for options without effect on an issue that has a session already. `running`: a message that joins
 * an agent's work cannot change its base, model, agent or pull request. `usage`: an existing worktree keeps its base.
 */
export function refuseWithoutEffect(wishes: Wishes, record: SessionRecord | undefined): void {
  if (record === undefined || wishes.fresh === true) return
  const { base, model, agent, prUrl } = wishes
  const ref = record.issue_ref ?? ''
  if (record.run) {
    const given = Object.entries({ '--base': base, '--model': model, '--agent': agent, 'a pull request': prUrl })
    const asked = given.filter(([, value]) => value !== undefined).map(([name]) => name)
    if (asked.length === 0) return
    throw new KugetsuError(`an agent is at work on ${ref}, and a message to it cannot set ${asked.join(' and ')}`, {
      hint:
        prUrl !== undefined && asked.length === 1
          ? `Record it separately: kugetsu set-pr ${ref} ${prUrl}`
          : `Leave that out, or stop the agent first: kugetsu stop ${ref}`,
      code: 'running',
    })
  }
  const has = record.base_branch
  if (base === undefined || !has || base === has || !fs.existsSync(record.worktree_path ?? '')) return
  throw new KugetsuError(`${ref} already has a worktree, which started from ${has} and not from ${base}`, {
    hint: 'Leave out --base, or start again with --fresh, which saves the work first.',
    code: 'usage',
  })
}
