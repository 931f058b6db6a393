/** Converts queue.json, the whole queue in the bash tool's first versions, into one file for each task, once. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { messageOf } from '../core/errors.ts'
import { createExclusive, ensureDirectory, isNoText, readText, setAside } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { parseJson } from '../platform/state-file.ts'
import { isItemId, parseItem } from './item.ts'
import { placesOf, type QueueHome } from './places.ts'

const lockWaitMs = 30_000
const waiting = new Set(['', 'pending', 'queued'])
const known = new Set(['pending', 'notified', 'completed', 'error'])

type OldTask = Record<string, unknown>

/**
 * Takes the tasks of queue.json over into queue/items/ and renames the file to `queue.json.taken-over`. Returns how many
 * tasks there were. Nothing of a task is dropped, and no task is taken over twice after an interrupted call. A file that
 * cannot be understood is set aside with a warning.
 */
export async function takeOverOldQueue(home: QueueHome): Promise<number> {
  const { oldQueue: file, items, queueLock } = placesOf(home)
  if (!fs.existsSync(file)) return 0
  return exclusively(queueLock, { timeoutMs: lockWaitMs, signal: home.signal }, () => {
    const text = textOf(home, file)
    if (text === undefined) return 0
    const tasks = tasksIn(text)
    if (tasks === undefined) {
      const aside = setAside(file, home.now())
      home.warn(`${file} cannot be understood and was kept as ${path.basename(aside ?? file)}`)
      return 0
    }
    ensureDirectory(items)
    const written = fs.statSync(file).mtime
    tasks.forEach((task, index) => takeOver(home, task, index, written))
    fs.renameSync(file, freeName(`${file}.taken-over`))
    return tasks.length
  })
}

/** A path that can hold no text gives invalid content; a file that cannot be read now is left for another time. */
function textOf(home: Pick<QueueHome, 'warn'>, file: string): string | undefined {
  try {
    return readText(file)
  } catch (error) {
    if (isNoText(error)) return 'nothing'
    home.warn(`${messageOf(error)}; the tasks in it wait until it can be read`)
    return undefined
  }
}

/** The list itself, or the list under one of the names it had; undefined for anything else. */
function tasksIn(text: string): OldTask[] | undefined {
  const value = text.trim() === '' ? [] : parseJson(text)
  const list = Array.isArray(value)
    ? value
    : isObject(value)
      ? (value['queue'] ?? value['items'] ?? value['tasks'])
      : undefined
  if (!Array.isArray(list)) return undefined
  const tasks = list.map((each: unknown) => (typeof each === 'string' ? { message: each } : each))
  return tasks.every(isObject) ? tasks : undefined
}

/** Stores a task under the same id at every attempt: its own, else one made of its time and list position. */
function takeOver(home: Pick<QueueHome, 'paths'>, task: OldTask, index: number, written: Date): void {
  const at = timeOf(task, written)
  const own = typeof task['id'] === 'string' && isItemId(task['id']) ? task['id'] : undefined
  const base = own ?? `q_${Math.floor(at.getTime() / 1000)}_${index}`
  for (let attempt = 1; ; attempt++) {
    const id = attempt === 1 ? base : `${base}_${attempt}`
    const content = contentOf(id, task, at)
    const file = placesOf(home).item(id)
    if (createExclusive(file, content)) return
    if (parseItem(id, readText(file) ?? '')?.message === parseItem(id, content)?.message) return
  }
}

/** The task with all its fields or, where those make no valid item, with the whole old task in one field. */
function contentOf(id: string, task: OldTask, at: Date): string {
  const text = (value: object) => `${JSON.stringify(value, null, 2)}\n`
  const whole = text({ ...task, ...translated(task, at), id })
  return parseItem(id, whole) === undefined ? text({ ...translated(task, at), id, taken_over: task }) : whole
}

/** The fields with a changed name or meaning; the old values are kept under other names. */
function translated(task: OldTask, at: Date): OldTask {
  const text = (name: string) => (typeof task[name] === 'string' ? task[name] : '')
  const state = text('state') || text('status')
  const isKnown = known.has(state)
  return {
    message: text('message') || text('task'),
    state: isKnown ? state : waiting.has(state) ? 'pending' : 'error',
    pending_since: text('pending_since') || at.toISOString(),
    ...(isKnown || waiting.has(state)
      ? {}
      : { error: `taken over from queue.json, where it was "${state}"`, completed_at: at.toISOString() }),
    ...(typeof task['id'] === 'string' && !isItemId(task['id']) ? { old_id: task['id'] } : {}),
    ...(state !== '' && !isKnown ? { old_state: state } : {}),
  }
}

function timeOf(task: OldTask, written: Date): Date {
  for (const name of ['pending_since', 'created_at', 'timestamp']) {
    const value = task[name]
    const at =
      typeof value === 'number' ? new Date(value * 1000) : typeof value === 'string' ? new Date(value) : undefined
    if (at !== undefined && !Number.isNaN(at.getTime())) return at
  }
  return written
}

function freeName(file: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? file : `${file}-${number}`
    if (!fs.existsSync(name)) return name
  }
}

function isObject(value: unknown): value is OldTask {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
