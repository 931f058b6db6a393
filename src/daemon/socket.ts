/** The daemon's unix socket: one JSON object a line each way. An answer proves that a daemon lives. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { Home, StartInDaemon } from '../config/home.ts'
import { builtins } from '../core/builtins.ts'
import { KugetsuError } from '../core/errors.ts'
import { ensureDirectory, removeFile } from '../platform/files.ts'

/** The longest path of a unix socket, in bytes; the kernel cuts or refuses longer ones. */
const longestPath = 103
const answerMs = 5_000

export type Request = { do: 'wake' } | { do: 'status' } | { do: 'stop' } | ({ do: 'cancel' } & StartInDaemon)

export interface Answer {
  ok: boolean
  pid: number
  /** The daemon takes tasks from the queue. */
  dispatching?: boolean
  /** The daemon is `queue-daemon run`. */
  foreground?: boolean
  /** When the daemon began. */
  since?: string
  /** The named start was going on, and is being ended. */
  cancelled?: boolean
  /** The daemon's build (buildMark), as it was when the daemon began. */
  build?: string
}

/** Where the socket is: in the home, or, if that path is too long, in a user's own directory under the temporary one. */
export function socketPath(home: Home): string {
  if (Buffer.byteLength(home.paths.daemonSocket) <= longestPath) return home.paths.daemonSocket
  const digest = builtins.crypto.createHash('sha256').update(home.paths.home).digest('hex').slice(0, 16)
  return path.join(os.tmpdir(), `kugetsu-${os.userInfo().uid}`, `${digest}.sock`)
}

/** Asks the daemon of this home; undefined when none answers. */
export async function askDaemon(home: Home, request: Request): Promise<Answer | undefined> {
  const file = socketPath(home)
  if (!fs.existsSync(file)) return undefined
  // Another owner of the directory could answer in the daemon's name.
  if (file !== home.paths.daemonSocket && !isPrivate(path.dirname(file))) return undefined
  return new Promise((resolve) => {
    const socket = builtins.net.connect(file)
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

/** Listens for requests until closed. Only for the daemon that holds the lock: so a socket file left there is dead. */
export async function listen(
  home: Home,
  answer: (request: Request) => Answer,
): Promise<{ close: () => Promise<void> }> {
  const file = socketPath(home)
  ensureDirectory(path.dirname(file))
  ownedByUs(path.dirname(file))
  removeFile(file)
  const server = builtins.net.createServer((socket) => {
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

/** The fallback directory is in a place where other users may write, so another user may have created it. */
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
