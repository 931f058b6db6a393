/** The daemon's unix socket: one JSON object a line each way. An answer proves that a daemon lives. */
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as os from 'node:os'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { KugetsuError } from '../core/errors.ts'
import { ensureDirectory, removeFile } from '../platform/files.ts'

/** What a unix socket's path may have, in bytes; the kernel cuts or refuses longer ones. */
const longestPath = 103
const answerMs = 5_000

export type Request = { do: 'wake' } | { do: 'status' } | { do: 'stop' } | ({ do: 'cancel' } & StartInQueue)

/** The start of a queue's task that goes on in the daemon, by what it is for. */
export interface StartInQueue {
  /** The canonical ref; null for the PM agent. */
  issue: string | null
  /** The task, where it is only this one. */
  item?: string
}

export interface Answer {
  ok: boolean
  pid: number
  /** It takes tasks from the queue. */
  dispatching?: boolean
  /** It is `queue-daemon run`. */
  foreground?: boolean
  /** When it began. */
  since?: string
  /** It was at that start, and ends it. */
  cancelled?: boolean
  /** The build that it is of (buildMark), as it was when it began. */
  build?: string
}

/** Where the socket is: in the home, or for a home with a long path in a directory of the user's under the temporary one. */
export function socketPath(home: Home): string {
  if (Buffer.byteLength(home.paths.daemonSocket) <= longestPath) return home.paths.daemonSocket
  const digest = createHash('sha256').update(home.paths.home).digest('hex').slice(0, 16)
  return path.join(os.tmpdir(), `kugetsu-${os.userInfo().uid}`, `${digest}.sock`)
}

/** Asks the daemon of this home; undefined when none answers. */
export async function askDaemon(home: Home, request: Request): Promise<Answer | undefined> {
  const file = socketPath(home)
  // Before the part of Node that connects is loaded.
  if (!fs.existsSync(file)) return undefined
  // Whoever owns the directory answers in the daemon's name.
  if (file !== home.paths.daemonSocket && !isPrivate(path.dirname(file))) return undefined
  return new Promise((resolve) => {
    const socket = net.connect(file)
    let said = ''
    const done = (answer: Answer | undefined) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(answerMs, () => done(undefined))
    socket.on('error', () => done(undefined))
    socket.on('close', () => done(undefined))
    socket.on('connect', () => socket.write(JSON.stringify(request) + '\n'))
    socket.on('data', (chunk) => {
      said += chunk.toString()
      if (said.includes('\n')) done(parse<Answer>(said))
    })
  })
}

/** Listens for requests until closed. Only for the one daemon that holds the lock: a socket that lies there is dead. */
export async function listen(
  home: Home,
  answer: (request: Request) => Answer,
): Promise<{ close: () => Promise<void> }> {
  const file = socketPath(home)
  ensureDirectory(path.dirname(file))
  ownedByUs(path.dirname(file))
  removeFile(file)
  const server = net.createServer((socket) => {
    let said = ''
    socket.setTimeout(answerMs, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      said += chunk.toString()
      if (said.length > 10_000) return void socket.destroy()
      if (!said.includes('\n')) return
      const request = parse<Request>(said)
      if (request === undefined) return void socket.destroy()
      socket.end(JSON.stringify(answer(request)) + '\n')
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(file, resolve)
  })
  fs.chmodSync(file, 0o600)
  return { close: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** The fallback directory lies where others may write, so it could be somebody else's. */
function ownedByUs(directory: string): void {
  if (isPrivate(directory)) return
  throw new KugetsuError(`${directory} is not a private directory of yours`, {
    hint: 'Choose a home with a shorter path (KUGETSU_DIR), so that the socket fits into it.',
  })
}

function isPrivate(directory: string): boolean {
  const stat = fs.lstatSync(directory, { throwIfNoEntry: false })
  return stat?.isDirectory() === true && stat.uid === os.userInfo().uid && (stat.mode & 0o022) === 0
}

function parse<T>(line: string): T | undefined {
  try {
    return JSON.parse(line.split('\n')[0] ?? '') as T
  } catch {
    return undefined
  }
}
