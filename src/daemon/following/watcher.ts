/** Follows the server's events: writes the transcripts, and says when a run may have changed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { maskerOf } from '../../agents/known-secrets.ts'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import type { Entry, MessageFacts, Retry, ServerEvent, Told } from '../../driver/entry.ts'
import type { Server } from '../../server/server.ts'
import { note } from '../../activity/journal.ts'
import type { Run, SessionRecord } from '../../sessions/file/session-file.ts'
import { isFinished, renderEntry } from './render.ts'
import { createRunningCalls, type RunningCall } from './running-calls.ts'
import { createStepReader, type Counted, type StepReader } from './steps.ts'
import { transcriptOf, type Transcript } from './transcripts.ts'

/** An agent's session that has a run. */
interface Watched {
  record: SessionRecord
  run: Run
  transcript: Transcript
  /** Earlier entries have been read back and written, so that new entries can be written after them. */
  caughtUp: boolean
  /** An entry arrived before that, and was not written. */
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
   * Writes the words and actions of a session since its run began that are not in its transcript yet; with `last` also
   * unfinished ones.
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

export function startWatcher(home: Home, server: Server, changed: () => void): Watcher {
  const abort = new AbortController()
  const watched = new Map<string, Watched>()
  const parents = new Map<string, string>()
  const roles = new Map<string, { role: string; at: Date }>()
  const errors = new Map<string, { text: string; trouble: string | undefined }>()
  const calls = createRunningCalls(home.now, server.driver.commandTimeoutMs(server.record.pid))
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

  /** `last`: nothing more will come, so unfinished entries are written as they are. */
  function write(entry: Entry, role: { role: string; at: Date } | undefined, last = false): void {
    const root = rootOf(entry.sessionId)
    const target = root === undefined ? undefined : watched.get(root)
    if (target === undefined || role === undefined || target.transcript.has(entry.id)) return
    if (!last && !isFinished(entry, role.role)) return
    if (target.earlier.has(entry.messageId)) return
    const text = renderEntry(entry, {
      role: role.role,
      time: role.at,
      task: entry.messageId === target.run.message_ids[0],
      mask: maskerOf(home),
      ...(entry.sessionId === root ? {} : { subagent: entry.sessionId }),
      ...(target.record.worktree_path ? { directory: target.record.worktree_path } : {}),
    })
    target.transcript.append(entry.id, text ?? '')
  }

  function remember({ id, sessionId, role, at }: MessageFacts): { role: string; at: Date } {
    const seen = { role, at: at ?? home.now() }
    if (rootOf(sessionId) !== undefined) roles.set(id, seen)
    return seen
  }

  async function readBack(id: string, last = false): Promise<void> {
    const target = watched.get(id)
    const directory = target?.record.worktree_path
    if (!directory) return
    do {
      target.missed = false
      const told: Told[] = (await server.client.transcript(id, directory)) ?? []
      // By their order in the list: ids hold times of a clock that may have been put back.
      const from = told.findIndex(({ message }) => target.run.message_ids.includes(message.id))
      for (const { message } of from === -1 ? told : told.slice(0, from)) target.earlier.add(message.id)
      for (const { message, entries } of told) {
        const role = remember(message)
        for (const entry of entries) {
          write(entry, role, last)
          if (!target.earlier.has(message.id)) calls.entry(entry)
        }
      }
      // An entry that finished during the request may be missing in the answer.
    } while (target.missed)
    target.caughtUp = true
  }

  function heed(own: Watched, id: string, { stuck, repeated }: Counted): void {
    if (repeated !== undefined) note(home, 'repeats', { issue_ref: own.record.issue_ref, reason: repeated })
    if (stuck === undefined) return
    own.stuck ??= stuck
    tell(id, 'changed')
  }

  /** The server waits and tries again when a provider fails, which can take minutes: the transcript says why. */
  async function tellRetry(sessionId: string, { attempt, text }: Retry): Promise<void> {
    const root = rootOf(sessionId)
    const target = root === undefined ? undefined : watched.get(root)
    const prompt = target?.run.message_ids.at(-1)
    if (root === undefined || prompt === undefined) return
    if (target?.caughtUp === false) await readBack(root)
    const id = `retry-${prompt}-${attempt}`
    const entry: Entry = { kind: 'retry', id, messageId: prompt, sessionId, isFinished: true, attempt, text }
    write(entry, { role: 'assistant', at: home.now() })
  }

  function onMessage(message: MessageFacts): void {
    remember(message)
    const own = watched.get(message.sessionId)
    if (own === undefined) return
    heed(own, message.sessionId, own.steps.message(message, own.run.message_ids.includes(message.id)))
  }

  function onEntry(entry: Entry): void {
    const role = roles.get(entry.messageId)
    const target = watched.get(rootOf(entry.sessionId) ?? '')
    const own = watched.get(entry.sessionId)
    if (own !== undefined) heed(own, entry.sessionId, own.steps.entry(entry))
    if (target !== undefined && calls.entry(entry)) changed()
    if (target?.caughtUp === false) {
      target.missed = true
      if (role?.role === 'assistant' && isFinished(entry, role.role)) tell(entry.sessionId, 'changed')
    } else write(entry, role)
  }

  function onEvent(event: ServerEvent): void {
    switch (event.type) {
      case 'message':
        return onMessage(event.message)
      case 'entry':
        return onEntry(event.entry)
      case 'child':
        return void parents.set(event.sessionId, event.parentId)
      case 'retry':
        return void tellRetry(event.sessionId, event.retry).catch((error) => home.warn(messageOf(error)))
      case 'error':
        if (rootOf(event.sessionId) === event.sessionId) errors.set(event.sessionId, event)
        return
      case 'news':
        return tell(event.sessionId, event.news)
      case 'misread':
        return home.warn(event.text)
    }
  }

  async function follow(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        const onOpen = () => {
          connection = ++opened
          changed()
        }
        const onEventSafely = (event: ServerEvent) => {
          try {
            onEvent(event)
          } catch (error) {
            home.warn(`an event of opencode was not heeded (${event.type}): ${messageOf(error)}`)
          }
        }
        await server.connect(undefined).follow({ onOpen, onEvent: onEventSafely }, abort.signal)
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
