/** An issue or a task without an agent at work. */
import { ago, counted, times } from '../../core/wording.ts'
import type { Item } from '../../queue/item.ts'
import { ends, type Entry } from '../../activity/journal.ts'
import type { SessionView } from '../status/session-view.ts'
import { allSlots, memory, permissions, type Explanation, type Facts } from './facts.ts'

/** A session without an agent at work. */
export function ended(
  facts: Facts,
  session: SessionView,
  last: Entry | undefined,
  task: Item | undefined,
): Explanation {
  const ref = session.issue_ref ?? ''
  const end = facts.decisions.findLast(({ decision }) => ends.includes(decision))
  const when = ago(end?.at ?? (session.ended === null ? session.updated_at : session.last_event_at), facts.now)
  const how = howItEnded(facts, session, { end, when, ref })
  const sentences = [...how.sentences, ...permissions(facts, startedAt(facts, end))]
  if (how.state === 'failed' && task !== undefined) sentences.push(...attemptsOf(task))
  const kept = facts.decisions.findLast(({ decision }) => ['not_destroyed', 'destroyed'].includes(decision))
  if (kept?.decision === 'not_destroyed' && kept.at > (end?.at ?? '')) {
    sentences.push(`It was not destroyed ${ago(kept.at, facts.now)}, because ${kept.reason}.`)
    how.next.push(`kugetsu destroy ${ref} --force`)
  }
  if (last !== undefined && last !== end && last.at > (end?.at ?? '') && last.decision !== 'destroyed') {
    const later = withoutSession(facts, last)
    if (later !== undefined) {
      return {
        ...later,
        sentences: [...later.sentences, ...sentences],
        next: later.next.map((each) => each.replace(/^kugetsu start (\S+) "…"/, 'kugetsu continue $1 "…"')),
      }
    }
  }
  return { ...how, sentences }
}

function howItEnded(
  { made }: Facts,
  session: SessionView,
  { end, when, ref }: { end: Entry | undefined; when: string; ref: string },
): Explanation {
  const go = `kugetsu continue ${ref} "…"`
  if (session.state === 'error') {
    return {
      state: 'failed',
      sentences: [`Its agent failed ${when}: ${session.last_error ?? 'no reason was noted'}.`],
      next: [`kugetsu logs ${ref}`, go],
    }
  }
  if (session.state === 'timeout') {
    return {
      state: 'timed_out',
      sentences: [
        `Its agent was ${session.last_error ?? 'stopped because its time was over'}, ${when}. Its work is still in the worktree.`,
      ],
      next: [go, `kugetsu logs ${ref}`],
    }
  }
  // The journal reaches back only so far, and files of 0.1.0 do not have the end.
  const decision = end?.decision ?? session.ended
  if (decision === 'stopped') {
    return {
      state: 'stopped',
      sentences: [`Its agent was stopped by a person ${when}. Session and worktree stay.`],
      next: [go],
    }
  }
  if (decision !== 'finished') {
    // The issue was recovered, or the journal does not reach back far enough: an idle session does not say why it is idle.
    return {
      state: 'idle',
      sentences: ['No agent is running on it, and kugetsu has no record of how the last one ended.'],
      next: [go, `kugetsu logs ${ref}`],
    }
  }
  const result = [
    session.branch === null ? undefined : `branch ${session.branch}`,
    session.pr_url === null ? 'no pull request known' : session.pr_url,
    session.cost === null ? undefined : `$${session.cost.toFixed(2)} so far`,
    made?.words,
  ].filter((each) => each !== undefined)
  const what = made?.isNothing === true ? 'ended its answer' : 'finished its task'
  return {
    state: 'done',
    sentences: [`Its agent ${what} ${when}: ${result.join(', ')}. No agent is running on it.`],
    next: [`kugetsu logs ${ref}`, go, `kugetsu destroy ${ref}`],
  }
}

/** A task that has ended. */
export function endedTask(facts: Facts, item: Item): Explanation {
  const when = ago(item.completed_at, facts.now)
  const show = `kugetsu queue show ${item.id}`
  if (item.state === 'completed') {
    const { branch = null, commits = null, cost = null } = item.result ?? {}
    const result = [
      commits === null ? undefined : `${commits} ${commits === 1 ? 'commit' : 'commits'}`,
      branch === null ? undefined : `branch ${branch}`,
      item.pr_url ?? undefined,
      cost === null ? undefined : `$${cost.toFixed(2)}`,
    ].filter((each) => each !== undefined)
    return {
      state: 'done',
      sentences: [`Its task ${item.id} was done ${when}${result.length > 0 ? `: ${result.join(', ')}` : ''}.`],
      next: [...(item.issue_ref === null ? [] : [`kugetsu logs ${item.issue_ref}`]), show],
    }
  }
  const outcome = item.attempts.at(-1)?.outcome
  const state = outcome === 'stopped' ? 'stopped' : outcome === 'timeout' ? 'timed_out' : 'failed'
  const how = state === 'stopped' ? 'was stopped by a person' : 'ended as an error'
  const why = state === 'stopped' ? '' : `: ${item.error ?? 'no reason was noted'}`
  return {
    state,
    sentences: [`Its task ${item.id} ${how} ${when}${why}.`, ...attemptsOf(item)],
    next: [`kugetsu queue retry ${item.id}`, show],
  }
}

/** Explains the last decision on an issue: a start that came to nothing, a destroyed session, or a run that ended. */
export function withoutSession(facts: Facts, last: Entry): Explanation | undefined {
  const when = ago(last.at, facts.now)
  const ref = facts.ref ?? ''
  const start = `kugetsu start ${ref} "…"`
  switch (last.decision) {
    case 'refused': {
      const free = facts.limit - facts.holders.length
      const now =
        facts.shortage !== undefined && free > 0
          ? memory(facts).join(' ')
          : free > 0
            ? `Now ${free} of ${counted(facts.limit, 'slot')} ${free === 1 ? 'is' : 'are'} free.`
            : `${allSlots(facts.limit)} still in use.`
      return {
        state: 'refused',
        sentences: [`A start was refused ${when}, and nothing was made: ${last.reason}.`, now],
        next:
          free > 0 && facts.shortage === undefined
            ? [start]
            : [`${start} --queue`, ...facts.holders.slice(0, 1).map(({ issueRef }) => `kugetsu wait ${issueRef}`)],
      }
    }
    case 'undone':
      return {
        state: 'failed',
        sentences: [`A start failed ${when}, and kugetsu removed what it had made: ${last.reason}.`],
        next: [start, 'kugetsu doctor'],
      }
    case 'gave_up':
      return {
        state: 'failed',
        sentences: [`Its task could not be started, and was given up ${when}: ${last.reason}.`],
        next: [start, 'kugetsu doctor'],
      }
    case 'removed':
      return { state: 'removed', sentences: [`It was taken out of the queue by a person ${when}.`], next: [start] }
    case 'destroyed':
      return {
        state: 'destroyed',
        sentences: [`Its worktree and session were destroyed ${when}: ${last.reason}.`],
        next: last.reason.startsWith('saved as ') ? [`kugetsu recover ${ref}`, start] : [start],
      }
    default:
      return {
        state: last.decision === 'failed' ? 'failed' : last.decision === 'timed_out' ? 'timed_out' : 'done',
        sentences: [`Its last run ended ${when} (${last.reason}), and its session is gone.`],
        next: [start],
      }
  }
}

function attemptsOf(item: Item): string[] {
  const tried = item.attempts.slice(item.attempts_before)
  if (tried.length < 2) return []
  const reasons = tried.map(
    ({ outcome, reason }, index) => `${index + 1}. ${outcome ?? 'going on'}${reason ? ` (${reason})` : ''}`,
  )
  return [`It was tried ${times(tried.length)}: ${reasons.join(', ')}.`]
}

/** When the run that ended began. */
function startedAt({ decisions }: Facts, end: Entry | undefined): string | undefined {
  const before = end === undefined ? decisions : decisions.slice(0, decisions.indexOf(end))
  return before.findLast(({ decision }) => decision === 'started' || decision === 'continued')?.at
}
