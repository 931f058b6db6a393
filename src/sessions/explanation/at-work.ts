/** An issue that has an agent, or waits for one. */
import { ago, clock, counted, lasting, times } from '../../core/wording.ts'
import type { Item } from '../../queue/item.ts'
import { waitingOf } from '../../queue/waiting.ts'
import type { SessionView } from '../status/session-view.ts'
import { allSlots, memory, permissions, type Explanation, type Facts } from './facts.ts'

/** A session with a run, or one being set up. */
export function atWork(facts: Facts, session: SessionView): Explanation {
  const { run, now } = facts
  const ref = session.issue_ref ?? ''
  const behind = facts.queue.filter(
    (item) => item.state === 'pending' && item.issue_ref?.toLowerCase() === ref.toLowerCase(),
  )
  const more = [
    ...(run !== undefined && run.interruptions > 0 && session.state !== 'interrupted'
      ? [`The opencode server has died under it ${times(run.interruptions)}; it was resumed each time.`]
      : []),
    ...permissions(facts, run?.started_at),
    ...noted(facts, run?.started_at),
    ...held(facts),
    ...facts.trouble.map((trouble) => `${trouble[0]?.toUpperCase()}${trouble.slice(1)}.`),
    ...(behind.length > 0
      ? [
          `${counted(behind.length, 'task')} of the issue ${behind.length === 1 ? 'waits' : 'wait'} in the queue until it is done.`,
        ]
      : []),
  ]
  const began = run === undefined ? '' : ` ${lasting(run.started_at, now)}`
  switch (session.state) {
    case 'starting': {
      if (facts.atRemote !== undefined && run === undefined) {
        const { remote, since } = facts.atRemote
        return {
          state: 'starting',
          sentences: [
            `Its agent is being set up, and waits for ${remote}, which was asked ${ago(since, now)}.`,
            ...more,
          ],
          next: [`kugetsu stop ${ref}`, `kugetsu wait ${ref}`],
        }
      }
      const holder = facts.holders.find(({ issueRef }) => issueRef === ref)
      const by = holder?.owner === undefined || run !== undefined ? '' : ` by process ${holder.owner.pid}`
      const at = holder === undefined ? began : ` ${lasting(holder.takenAt, now)}`
      return {
        state: 'starting',
        sentences: [`Its agent is being set up${at}${by}: worktree, session, first message.`, ...more],
        next: [`kugetsu wait ${ref}`],
      }
    }
    case 'interrupted':
      return {
        state: 'interrupted',
        sentences: [
          run === undefined
            ? 'The command that was setting its agent up has died before the agent began.'
            : `Its agent, begun ${ago(run.started_at, now)}, was at work when ${facts.whatDied ?? 'the opencode server died'}. ${
                run.interruptions > 0
                  ? `The server has died under it ${times(run.interruptions + 1)}, so it is resumed when no other such agent is at work.`
                  : 'The next daemon resumes it.'
              }`,
          ...more,
        ],
        next: run === undefined ? [`kugetsu continue ${ref} "…"`] : [`kugetsu wait ${ref}`],
      }
    case 'waiting':
      return {
        state: 'waiting',
        sentences: [`Its agent asked for a permission that could not be answered, and waits for it.`, ...more],
        next: [`kugetsu attach ${ref}`, `kugetsu stop ${ref}`],
      }
    default: {
      const until = run === undefined ? '' : ` It is stopped at ${clock(run.deadline_at)} (TASK_TIMEOUT_HOURS).`
      return {
        state: 'working',
        sentences: [`An agent has been at work on it${began}.${until}`, ...more],
        next: [`kugetsu logs -f ${ref}`, `kugetsu continue ${ref} "…"`, `kugetsu stop ${ref}`],
      }
    }
  }
}

/** A task that waits in the queue. */
export function queued(facts: Facts, item: Item): Explanation {
  const { now, holders, limit, dispatching } = facts
  const { starting, ahead, pauseMs, busy } = waitingOf(item, facts.queue, now)
  const next = [`kugetsu queue show ${item.id}`]
  if (starting && dispatching) {
    return { state: 'starting', sentences: [`The daemon is starting the agent of its task ${item.id}.`], next }
  }
  const key = item.issue_ref?.toLowerCase()
  const holder = holders.find(({ issueRef }) => issueRef.toLowerCase() === key)
  const sentences = [`Its task ${item.id} has been in the queue ${lasting(item.pending_since, now)}.`]
  const failed = item.attempts.slice(item.attempts_before).filter(({ outcome }) => outcome === 'failed')
  if (failed.length > 0) {
    sentences.push(
      `It could not be started ${times(failed.length)}: ${failed.at(-1)?.reason ?? 'for an unknown reason'}.`,
    )
  }
  if (pauseMs > 0) sentences.push(`The next attempt is in ${Math.ceil(pauseMs / 1000)} s.`)
  if (busy !== undefined) sentences.push(`The issue is busy: ${busy.id} is at work on it.`)
  else if (holder !== undefined)
    sentences.push('The issue is busy: an agent is at work on it that was not started from the queue.')
  if (ahead > 0) sentences.push(`${counted(ahead, 'task')} ${ahead === 1 ? 'is' : 'are'} ahead of it.`)
  if (holders.length >= limit) {
    sentences.push(`${allSlots(limit)} in use: ${holders.map(({ issueRef }) => issueRef).join(', ')}.`)
  }
  if (item.kind === 'dev' && busy === undefined && holder === undefined) sentences.push(...memory(facts))
  if (!dispatching) {
    sentences.push('No daemon takes tasks from the queue, so it stays there.')
    next.unshift('kugetsu queue-daemon start')
  }
  return { state: 'queued', sentences, next }
}

/** What the daemon noted about the current run. */
function noted({ decisions }: Facts, from: string | undefined): string[] {
  const own = decisions.filter(({ at }) => at >= (from ?? ''))
  const last = (decision: string) => own.findLast((entry) => entry.decision === decision)
  const [again, repeats, unblocked] = [last('prompted_again'), last('repeats'), last('unblocked')]
  return [
    ...(again === undefined ? [] : [`kugetsu sent it a message again at ${clock(again.at)}: ${again.reason}.`]),
    ...(repeats === undefined ? [] : [`At ${clock(repeats.at)} it had made ${repeats.reason}.`]),
    ...(unblocked === undefined ? [] : [`At ${clock(unblocked.at)} ${unblocked.reason}.`]),
  ]
}

/** The processes that keep its command waiting. */
function held({ outputHeldBy: names }: Facts): string[] {
  if (names.length === 0) return []
  const [verb, pronoun] = names.length === 1 ? ['holds', 'it is'] : ['hold', 'they are']
  return [
    `${names.join(', ')} ${verb} the output of a command, which waits for that; ${pronoun} ended half a minute after the command's timeout.`,
  ]
}
