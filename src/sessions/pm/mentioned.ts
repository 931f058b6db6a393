/** Facts about the issues that a message mentions. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { parseRef } from '../../core/issue-ref.ts'
import { plainLine } from '../../core/plain-text.ts'
import { nameOf } from '../file/session-name.ts'
import { readSession } from '../file/store.ts'
import { sessionView, type SessionView } from '../status/session-view.ts'

/** A ref in a message. */
export interface Mention {
  /** As it was written. */
  said: string
  /** The canonical refs it may mean: exactly one when it is clear. */
  issue_refs: string[]
}

const longestError = 200

/** Lines for the PM agent: the facts of each issue, and the missing ones. */
export function describeMentions(home: Home, mentions: readonly Mention[]): string {
  if (mentions.length === 0) return '- The request names no issue.'
  const known = new Set<string>()
  return mentions
    .flatMap(({ said, issue_refs: refs }) => {
      const [only] = refs
      if (refs.length === 1 && only !== undefined) {
        if (known.has(only)) return []
        known.add(only)
        return [`- ${only}: ${aboutIssue(home, only)}`]
      }
      return [`- "${said}" is not clear: it may mean ${refs.join(' or ')}. Ask, unless the request says which.`]
    })
    .join('\n')
}

function aboutIssue(home: Home, issueRef: string): string {
  const name = nameOf(home, parseRef(issueRef, { defaultHost: '' }))
  const record = readSession(home, name)
  if (record === undefined) {
    const worktree = path.join(home.paths.worktrees, name)
    const left = fs.existsSync(worktree) ? `; a worktree without a session lies in ${worktree}` : ' and no worktree'
    return `no session${left}. "kugetsu start" begins one.`
  }
  const view = sessionView(home, name, record)
  return `${stateOf(view)}. "kugetsu continue" speaks to it. ${detailsOf(view)}`
}

function stateOf({ state, last_error: error }: SessionView): string {
  switch (state) {
    case 'running':
    case 'starting':
    case 'waiting':
      return 'an agent is at work on it'
    case 'interrupted':
      return 'its agent was interrupted and will go on'
    case 'error':
    case 'timeout':
      return `its agent ended badly (${plainLine(error ?? state, longestError)})`
    default:
      return 'its agent is idle'
  }
}

function detailsOf(view: SessionView): string {
  const details = [
    `worktree ${view.worktree_path ?? 'missing'}`,
    `branch ${view.branch ?? 'unknown'}`,
    view.pr_url ? `pull request ${view.pr_url}` : 'no pull request known',
  ]
  return `${details.join(', ')}.`
}
