/** Follows the server's events: writes the transcripts, and says when something about a run may have changed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { maskerOf } from '../../agents/known-secrets.ts'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { variableOf } from '../../platform/processes.ts'
import { followEvents, type OpencodeEvent } from '../../opencode/api/events.ts'
import { ownTrouble } from '../../opencode/own-trouble.ts'
import type { Server } from '../../opencode/server/server.ts'
import {
  eventProperties,
  failureText,
  type Message,
  type MessageInfo,
  type Part,
  type SessionStatus,
} from '../../opencode/api/schemas.ts'
import { isFinished, renderPart } from '../../opencode/transcript/transcript.ts'
import { note } from '../../activity/journal.ts'
import type { Run, SessionRecord } from '../../sessions/file/session-file.ts'
import { createRunningCalls, timeoutVariable, type RunningCall } from './running-calls.ts'
import { createStepReader, type Counted, type StepReader } from './steps.ts'
import { transcriptOf, type Transcript } from './transcripts.ts'

/** An agent's session that has a run. */
interface Watched {
  record: SessionRecord
  run: Run
  transcript: Transcript
  /** Earlier parts have been read back and written, so that new parts can be written after them. */
  caughtUp: boolean
  /** A part arrived before that, and was not written. */
  missed: boolean
  /** The messages before the run's own, as far as the session has been read back; includes those copied by the fork. */
  earlier: Set<string>
  /** Counts the session's own steps, not those of its sub-agents. */
  steps: StepReader
  /** Why the agent is to be aborted; undefined while its steps do not go in a circle. */
  stuck: string | undefined
}

/** Why to look at a run: its status may have changed, or it also asks for something. */
export type News = 'changed' | 'asked'

export interface Watcher {
  /** The sessions to follow, by opencode id; others are ignored. */
  watch: (sessions: { id: string; record: SessionRecord; run: Run }[]) => void
  /**
   * Writes what the session said and did since its run began and is not in its transcript yet; with `last` also what
   * was cut off in the middle.
   */
  readBack: (id: string, last?: boolean) => Promise<void>
  /** Writes the end of a run into its transcript. */
  tellEnd: (id: string, run: Run, text: string) => void
  /** The runs with news since the last call, by opencode session id. */
  takeNews: () => ReadonlyMap<string, News>
  /** The last error that a session reported since its run began, if any; `trouble` is set when opencode itself failed. */
  errorOf: (id: string) => { text: string; trouble: string | undefined } | undefined
  /** Forgets that error: the agent was told to go on after it. */
  forgetError: (id: string) => void
  /** Why the agent of a session is to be aborted, if its steps go in a circle. */
  stuckOf: (id: string) => string | undefined
  /** The watched session that an id belongs to: itself, or for a sub-agent the session of its agent. */
  rootOf: (id: string) => string | undefined
  /** The commands that should have ended, each with the issue of its agent; and in how many milliseconds the next is due. */
  takeOverdue: () => (RunningCall & { issueRef: string })[]
  overdueInMs: () => number
  /** The number of the connection to the server's events, from 1; 0 while there is none. */
  connection: () => number
  close: () => void
}

/** Events after which the status of a run may have changed, or the run waits for an answer. */
const telling: Record<string, News> = {
  'session.idle': 'changed',
  'session.error': 'changed',
  'permission.asked': 'asked',
  'permission.updated': 'asked',
  'question.asked': 'asked',
}

export function startWatcher(home: Home, server: Server, changed: () => void): Watcher {
  const abort = new AbortController()
  const watched = new Map<string, Watched>()
  const parents = new Map<string, string>()
  const roles = new Map<string, { role: string; at: Date }>()
  const errors = new Map<string, { text: string; trouble: string | undefined }>()
  const timeoutMs = Number(variableOf(server.record.pid, timeoutVariable)) || undefined
  const calls = createRunningCalls(home.now, timeoutMs)
  let news = new Map<string, News>()
  let opened = 0
  let connection = 0

  function rootOf(id: string): string | undefined {
    let current: string | undefined = id
    for (let depth = 0; current !== undefined && depth < 10; depth++) {
      if (watched.has(current)) return current
      current = parents.get(current)
    }
    return undefined
  }

  function tell(sessionId: string, what: News): void {
    const root = rootOf(sessionId)
    if (root === undefined) return
    if (news.get(root) !== 'asked') news.set(root, what)
    changed()
  }

  /** `last`: nothing more will come, so unfinished parts are written as they are. */
  function write(part: Part, role: { role: string; at: Date } | undefined, last = false): void {
    const root = rootOf(part.sessionID)
    const target = root === undefined ? undefined : watched.get(root)
    if (target === undefined || role === undefined || target.transcript.has(part.id)) return
    if (!last && !isFinished(part, role.role)) return
    if (target.earlier.has(part.messageID)) return
    const text = renderPart(part, {
      role: role.role,
      time: role.at,
      task: part.messageID === target.run.message_ids[0],
      mask: maskerOf(home),
      ...(part.sessionID === root ? {} : { subagent: part.sessionID }),
      ...(target.record.worktree_path ? { directory: target.record.worktree_path } : {}),
    })
    target.transcript.append(part.id, text ?? '')
  }

  function remember(info: MessageInfo): { role: string; at: Date } {
    const seen = { role: info.role, at: new Date(info.time?.created ?? home.now()) }
    if (rootOf(info.sessionID) !== undefined) roles.set(info.id, seen)
    return seen
  }

  async function readBack(id: string, last = false): Promise<void> {
    const target = watched.get(id)
    const directory = target?.record.worktree_path
    if (!directory) return
    do {
      target.missed = false
      const messages: Message[] = (await server.client.messages(id, directory)) ?? []
      // By their order in the list: ids hold times of a clock that may have been put back.
      const from = messages.findIndex(({ info }) => target.run.message_ids.includes(info.id))
      for (const { info } of from === -1 ? messages : messages.slice(0, from)) target.earlier.add(info.id)
      for (const { info, parts } of messages) {
        const role = remember(info)
        for (const part of parts) {
          write(part, role, last)
          if (!target.earlier.has(info.id)) calls.part(part)
        }
      }
      // A part that finished during the request may be missing in the answer.
    } while (target.missed)
    target.caughtUp = true
  }

  function heed(own: Watched, id: string, { stuck, repeated }: Counted): void {
    if (repeated !== undefined) note(home, 'repeats', { issue_ref: own.record.issue_ref, reason: repeated })
    if (stuck === undefined) return
    own.stuck ??= stuck
    tell(id, 'changed')
  }

  /** opencode waits and tries again when a provider fails, which can take minutes: the transcript says why. */
  async function tellRetry(sessionId: string, status: SessionStatus): Promise<void> {
    const root = rootOf(sessionId)
    const target = root === undefined ? undefined : watched.get(root)
    const prompt = target?.run.message_ids.at(-1)
    if (root === undefined || prompt === undefined) return
    if (target?.caughtUp === false) await readBack(root)
    const attempt = status.attempt ?? 1
    const part = { type: 'retry', id: `retry-${prompt}-${attempt}`, messageID: prompt, sessionID: sessionId }
    write({ ...part, attempt, error: { message: status.message ?? '' } }, { role: 'assistant', at: home.now() })
  }

  function onEvent({ type, properties }: OpencodeEvent): void {
    switch (type) {
      case 'message.updated': {
        const { info } = eventProperties[type].parse(properties)
        remember(info)
        const own = watched.get(info.sessionID)
        if (own !== undefined) heed(own, info.sessionID, own.steps.message(info, own.run.message_ids.includes(info.id)))
        break
      }
      case 'message.part.updated': {
        const { part } = eventProperties[type].parse(properties)
        const role = roles.get(part.messageID)
        const target = watched.get(rootOf(part.sessionID) ?? '')
        const own = watched.get(part.sessionID)
        if (own !== undefined) heed(own, part.sessionID, own.steps.part(part))
        if (target !== undefined && calls.part(part)) changed()
        if (target?.caughtUp === false) {
          target.missed = true
          if (role?.role === 'assistant' && isFinished(part, role.role)) tell(part.sessionID, 'changed')
        } else write(part, role)
        break
      }
      case 'session.created':
      case 'session.updated': {
        const { info } = eventProperties[type].parse(properties)
        if (info.parentID !== undefined) parents.set(info.id, info.parentID)
        break
      }
      case 'session.status': {
        const { sessionID, status } = eventProperties[type].parse(properties)
        if (status.type !== 'retry') break
        tell(sessionID, 'changed')
        void tellRetry(sessionID, status).catch((error) => home.warn(messageOf(error)))
        break
      }
      case 'session.error': {
        const { sessionID, error } = eventProperties[type].parse(properties)
        const root = sessionID === undefined ? undefined : rootOf(sessionID)
        if (root === undefined || root !== sessionID || error === undefined) break
        errors.set(root, { text: failureText(error), trouble: ownTrouble(error) })
        break
      }
    }
    const about = properties['sessionID']
    const what = telling[type]
    if (what !== undefined && typeof about === 'string') tell(about, what)
  }

  async function follow(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        await followEvents(
          server.endpoint,
          {
            onOpen: () => {
              connection = ++opened
              changed()
            },
            onEvent: (event) => {
              try {
                onEvent(event)
              } catch (error) {
                home.warn(`an event of opencode was not understood (${event.type}): ${messageOf(error)}`)
              }
            },
          },
          abort.signal,
        )
      } catch (error) {
        if (!abort.signal.aborted) home.warn(messageOf(error))
      }
      connection = 0
      if (abort.signal.aborted) return
      changed()
      // The next look decides whether the server lives; until then do not connect too often.
      await sleep(500)
    }
  }
  void follow()

  return {
    watch: (sessions) => {
      const ids = new Set(sessions.map(({ id }) => id))
      for (const id of watched.keys()) if (!ids.has(id)) watched.delete(id)
      for (const { id, record, run } of sessions) {
        const known = watched.get(id)
        if (known !== undefined && known.run.slot === run.slot) {
          watched.set(id, { ...known, record, run })
          continue
        }
        errors.delete(id)
        watched.set(id, {
          record,
          run,
          transcript: transcriptOf(home, record, run),
          caughtUp: false,
          missed: false,
          earlier: new Set(),
          steps: createStepReader(),
          stuck: undefined,
        })
      }
      calls.keep((id) => rootOf(id) !== undefined)
      if (watched.size === 0) for (const memory of [parents, roles, errors]) memory.clear()
    },
    readBack,
    takeNews: () => {
      const taken = news
      news = new Map()
      return taken
    },
    tellEnd: (id, run, text) => watched.get(id)?.transcript.append(`end-${run.slot}`, text),
    errorOf: (id) => errors.get(id),
    forgetError: (id) => void errors.delete(id),
    stuckOf: (id) => watched.get(id)?.stuck,
    rootOf,
    takeOverdue: () =>
      calls.takeOverdue().flatMap((call) => {
        const issueRef = watched.get(rootOf(call.sessionId) ?? '')?.record.issue_ref
        return issueRef ? [{ ...call, issueRef }] : []
      }),
    overdueInMs: calls.restMs,
    connection: () => connection,
    close: () => abort.abort(),
  }
}
