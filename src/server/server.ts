/** The one opencode server of a home: found by its file, and started, detached, by any command that needs it. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../config/home.ts'
import { messageOf } from '../core/errors.ts'
import { ensureDirectory, openToAppend, removeFile, rotate } from '../platform/files.ts'
import { exclusively } from '../platform/locks.ts'
import { identify, isAlive, isOutOfSight, kill, processesWith, signalGroup } from '../platform/processes.ts'
import { driverNamed } from '../driver/choose.ts'
import type { Client, Endpoint } from '../driver/client.ts'
import type { AgentDefinitions, Driver, Launched } from '../driver/driver.ts'
import { markerVariable, writeProgram } from '../driver/environment.ts'
import { checkOpencode, fingerprintOf, findOpencode, type OpencodeProgram } from './program.ts'
import { bootFailed, logSince } from './log.ts'
import { readBooting, readServer, writeBooting, writeServer, type ServerRecord } from './server-file.ts'

const bootTimeoutMs = 90_000
const healthTimeoutMs = 5_000

export interface Server {
  record: ServerRecord
  driver: Driver
  endpoint: Endpoint
  /** A client for the call that this server was found for: its requests end with that call. */
  client: Client
  /** A client with another signal, or none. */
  connect: (signal: AbortSignal | undefined) => Client
}

export interface ServerOptions {
  /** Whether no agent works in the server. If so, it is replaced when the program on disk or the setting has changed. */
  isIdle: () => boolean
  agents: AgentDefinitions
  /** The ids of our sessions. */
  sessions: () => string[]
  /** From a caller that has just asked it. */
  program?: OpencodeProgram | undefined
}

/** The running server of this home, or undefined. Looks at file and process only: it may still fail to answer. */
export function findServer(home: Home): Server | undefined {
  const record = readServer(home)
  if (record?.port === undefined || record.stopping === true || !isAlive(record)) return undefined
  return serverAt(home, record, record.port)
}

/**
 * The server of this home, started if it is not running; callers at the same time get the same one.
 * Throws KugetsuError when opencode is missing, too old, or does not boot.
 */
export async function ensureServer(home: Home, options: ServerOptions): Promise<Server> {
  const running = findServer(home)
  if (
    running !== undefined &&
    isCurrent(home, running.record, options) &&
    (await running.client.isUp(healthTimeoutMs))
  ) {
    return running
  }
  return exclusively(
    home.paths.lock('opencode-server'),
    { timeoutMs: bootTimeoutMs * 2, signal: home.signal },
    async () => {
      const other = findServer(home)
      if (other !== undefined && isCurrent(home, other.record, options)) {
        if (await answersInTime(home, other)) return other
        home.warn('the opencode server does not answer: starting a new one')
      }
      let server = await adoptBooting(home)
      if (server === undefined) {
        await endServer(home)
        server = await boot(home, options)
      }
      return open(home, await wellLaunched(home, options, server))
    },
  )
}

/** Boots once more when the driver knows only now how to launch the server well. */
async function wellLaunched(home: Home, options: ServerOptions, server: Server): Promise<Server> {
  try {
    const { driver, endpoint, record } = server
    if (!(await driver.afterLaunch(home, endpoint, launchOf(record)))) return server
  } catch (error) {
    await endServer(home)
    throw error
  }
  await endServer(home)
  return boot(home, options, ', with the models that it can use')
}

/** How the server on file was launched. */
export function launchOf({ program, models }: ServerRecord): Launched {
  return { program, mark: models ?? '' }
}

/**
 * Stops the server, the agents in it and their commands; false when none runs or when `unless` says so. A caller that takes
 * a slot before it looks for the server is seen by `unless`, or finds no server any more and starts one.
 */
export async function stopServer(home: Home, unless: () => boolean): Promise<boolean> {
  if (readServer(home) === undefined && readBooting(home) === undefined) return false
  return exclusively(
    home.paths.lock('opencode-server'),
    { timeoutMs: bootTimeoutMs, signal: home.signal },
    async () => {
      endUnknown(home)
      const record = readServer(home)
      if (record === undefined) return false
      writeServer(home, { ...record, stopping: true })
      if (!unless()) return endServer(home)
      writeServer(home, record)
      return false
    },
  )
}

/** Removes the leftovers of a dead server: its file, and the commands its agents ran. False when none has died. */
export async function clearDeadServer(home: Home): Promise<boolean> {
  return exclusively(
    home.paths.lock('opencode-server'),
    { timeoutMs: bootTimeoutMs, signal: home.signal },
    async () => {
      const record = readServer(home)
      if (record === undefined || isAlive(record)) return false
      await endServer(home)
      return true
    },
  )
}

/** Ends the commands that outlived the server that ran them; returns how many there were. Linux only. */
export function sweepOrphans(marker: string): number {
  return processesWith(markerVariable, marker).filter(kill).length
}

async function endServer(home: Home): Promise<boolean> {
  const record = readServer(home)
  if (record === undefined) return false
  const lived = signalGroup(record, 'SIGTERM')
  const until = performance.now() + 5000
  while (lived && isAlive(record) && performance.now() < until) await sleep(25)
  signalGroup(record, 'SIGKILL')
  sweepOrphans(record.marker)
  removeFile(home.paths.server)
  return lived
}

/** Ends a server without a server.json, because its starter was killed first. The caller holds the lock. */
function endUnknown(home: Home): void {
  const marker = readBooting(home)
  if (marker === undefined) return
  if (marker !== readServer(home)?.marker) sweepOrphans(marker)
  removeFile(home.paths.booting)
}

/** Starts a server. No other process finds it before open(). */
async function boot(home: Home, options: ServerOptions, how = ''): Promise<Server> {
  const program = options.program ?? (await checkOpencode(findOpencode(home.env), home.env, home.signal))
  const { driver } = program
  driver.requireWorkable(home.paths.home)
  driver.beforeLaunch(home, options.sessions)
  if (program.warning !== undefined) home.warn(program.warning)
  home.progress(`starting opencode ${program.version}${how}`)
  ensureDirectory(home.paths.logs)
  ensureDirectory(home.paths.opencode)
  ensureDirectory(home.paths.base)
  writeProgram(home)

  rotate(home.paths.serverLog)
  const password = randomBytes(24).toString('base64url')
  const marker = randomBytes(12).toString('hex')
  endUnknown(home)
  // Else a starter killed before the process is on file would leave a server that kugetsu cannot find.
  writeBooting(home, marker)
  const fingerprint = fingerprintOf(program.path)
  const launch = driver.launch(home, { program: fingerprint, password, marker, agents: options.agents })
  const log = openToAppend(home.paths.serverLog)
  const offset = fs.fstatSync(log).size
  const child = spawn(program.path, launch.args, {
    cwd: home.paths.base,
    detached: true,
    stdio: ['ignore', log, log],
    env: launch.env,
  })
  fs.closeSync(log)
  let exit: string | undefined
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve((exit = messageOf(error))))
    child.once('exit', (code, signal) => resolve((exit = `it ended with ${signal ?? `exit code ${code}`}`)))
  })
  child.unref()

  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (identity === undefined) {
    child.ref()
    child.kill('SIGKILL') // it has ended already, unless the process table could not be read
    const why = await ended
    removeFile(home.paths.booting)
    throw bootFailed(home, driver, offset, why)
  }
  const record: ServerRecord = {
    ...identity,
    password,
    version: program.version,
    ...(driver.kind === 'opencode' ? {} : { driver: driver.kind }),
    program: fingerprint,
    marker,
    ...(launch.mark === '' ? {} : { models: launch.mark }),
    started_at: home.now().toISOString(),
    log_offset: offset,
  }
  // Before the server listens: if the starter dies now, the server can still be found.
  writeServer(home, record)
  removeFile(home.paths.booting)
  try {
    return await comeUp(home, record, offset, () => exit)
  } catch (error) {
    await endServer(home)
    throw error
  }
}

/** Takes over a booting server after its starter was killed: it goes on booting, so no second one is needed. */
async function adoptBooting(home: Home): Promise<Server | undefined> {
  const record = readServer(home)
  if (record?.log_offset === undefined || record.port !== undefined || record.stopping === true) return undefined
  try {
    return await comeUp(home, record, record.log_offset, () => (isAlive(record) ? undefined : 'it ended'))
  } catch {
    home.signal.throwIfAborted()
    return undefined
  }
}

/** Waits until a server that boots answers. */
async function comeUp(
  home: Home,
  record: ServerRecord,
  offset: number,
  exit: () => string | undefined,
): Promise<Server> {
  const port = await listening(home, driverNamed(record.driver), offset, exit)
  const server = serverAt(home, record, port)
  if (!(await answersInTime(home, server))) throw bootFailed(home, server.driver, offset, 'it does not answer')
  return server
}

/** Publishes the server: from now on findServer() finds it. */
function open(home: Home, server: Server): Server {
  const record = { ...server.record, port: server.endpoint.port }
  writeServer(home, record)
  return { ...server, record }
}

/** Waits for the line that tells the port. */
async function listening(home: Home, driver: Driver, offset: number, exit: () => string | undefined): Promise<number> {
  const until = performance.now() + bootTimeoutMs
  for (;;) {
    const ended = exit()
    if (ended !== undefined) throw bootFailed(home, driver, offset, ended)
    const port = /listening on http:\/\/[^\s:]+:(\d+)/.exec(logSince(home, offset))?.[1]
    if (port !== undefined) return Number(port)
    if (performance.now() > until)
      throw bootFailed(home, driver, offset, `it did not listen within ${bootTimeoutMs / 1000} s`)
    await sleep(20, undefined, { signal: home.signal })
  }
}

/**
 * Whether the server answers while there is time for a boot: it can accept connections long before it answers. A server of
 * another pid namespace gets less time, because its container may have ended long ago.
 */
async function answersInTime(home: Home, server: Server): Promise<boolean> {
  const until = performance.now() + (isOutOfSight(server.record) ? healthTimeoutMs : bootTimeoutMs / 3)
  while (!(await server.client.isUp(healthTimeoutMs))) {
    if (performance.now() > until || !isAlive(server.record)) return false
    await sleep(50, undefined, { signal: home.signal })
  }
  return true
}

function serverAt(home: Home, record: ServerRecord, port: number): Server {
  const endpoint = { port, password: record.password }
  const driver = driverNamed(record.driver)
  const connect = (signal: AbortSignal | undefined) => driver.connect(home, endpoint, signal)
  return { record, driver, endpoint, client: connect(home.signal), connect }
}

function isCurrent(home: Home, record: ServerRecord, options: ServerOptions): boolean {
  const program = fingerprintOf(findOpencode(home.env))
  return (
    (record.program === program && driverNamed(record.driver).markFor(home, program) === launchOf(record).mark) ||
    !options.isIdle()
  )
}
