import * as fs from 'node:fs'
import * as path from 'node:path'
import { basePriming } from '../../agents/dev-agent.ts'
import { defaultEnvTemplate, devEnvTemplate, pmAgentEnvTemplate } from '../../agents/env-files.ts'
import { pmAgentName, pmPriming } from '../../agents/pm-agent.ts'
import type { Home } from '../../config/home.ts'
import { defaultConfigText } from '../../config/settings.ts'
import { KugetsuError } from '../../core/errors.ts'
import { checkOpencode, findOpencode, type OpencodeProgram } from '../../server/program.ts'
import type { Server } from '../../server/server.ts'
import { createExclusive, ensureDirectory, listDirectory, removeFile } from '../../platform/files.ts'
import { exclusively } from '../../platform/locks.ts'
import { openSqlite } from '../../platform/sqlite.ts'
import { nameInFiles } from '../../driver/choose.ts'
import type { Driver } from '../../driver/driver.ts'
import { agentServer } from '../runs/agent-server.ts'
import { baseTitle } from '../starting/base-session.ts'
import { asSessionOn } from '../file/session-of-kind.ts'
import {
  baseName,
  changeIndex,
  changeSession,
  pmAgentSession,
  readAllSessions,
  readIndex,
  requirePmAtRest,
} from '../file/store.ts'
import { createUndo } from '../starting/undo.ts'

export interface Priming {
  text: string
  /** The agent of opencode's configuration that it is for. */
  agent?: string
}

export const pmTitle = 'kugetsu PM agent'
export const pmAgentPriming: Priming = { text: pmPriming, agent: pmAgentName }

export interface Initialised {
  base: string
  pmAgent: string
}

/**
 * Creates the home, the base session and the PM agent's session. With `force` it makes new sessions in an existing
 * home: config, env files, repositories, worktrees and issue sessions stay; logs of sessions that are gone are deleted.
 * Throws KugetsuError `already_initialised` for an initialised home without `force`.
 */
export async function initialise(home: Home, options: { force: boolean }): Promise<Initialised> {
  refuseAgain(home, options)
  const program = await requireOpencode(home)
  createLayout(home)
  return alone(home, () => {
    refuseAgain(home, options)
    requirePmAtRest(home)
    if (options.force) clearLogs(home)
    return makeSessions(home, program)
  })
}

/**
 * Does the same in a home not yet initialised, and nothing in any other; also while other processes do, or after one was
 * killed in the middle of it. Calls `onBegin` once it is known that the home can be initialised, before it is.
 */
export async function setUp(home: Home, onBegin: () => void): Promise<void> {
  const isDone = () => Boolean(readIndex(home)?.base)
  if (isDone()) return
  openSqlite(':memory:', { timeoutMs: 0 }).close() // throws, with a hint, when no driver loads
  const program = await requireOpencode(home)
  createLayout(home)
  onBegin()
  await alone(home, async () => {
    if (isDone()) return
    requirePmAtRest(home)
    await makeSessions({ ...home, progress: (text, kind) => kind && home.progress(text, kind) }, program)
  })
}

/** The program to drive. Refuses one that kugetsu cannot drive, or not in this place. Writes nothing. */
async function requireOpencode(home: Home): Promise<OpencodeProgram> {
  const program = await checkOpencode(findOpencode(home.env), home.env, home.signal)
  program.driver.requireWorkable(home.paths.home)
  return program
}

/** Runs `work` while no other process makes the base session or the PM agent of this home. */
function alone<T>(home: Home, work: () => Promise<T>): Promise<T> {
  return exclusively(home.paths.lock('init'), { timeoutMs: 120_000, signal: home.signal }, work)
}

function refuseAgain(home: Home, { force }: { force: boolean }): void {
  const index = readIndex(home)
  if (force || !index?.base || !index.pm_agent) return
  throw new KugetsuError(`kugetsu is initialised already (${home.paths.home})`, {
    hint: 'Use --force to make new base and PM agent sessions. It deletes the messages to the PM agent and transcripts of removed sessions, and keeps everything else.',
    code: 'already_initialised',
  })
}

/** Makes a new base or PM agent session to replace a lost one; returns its id. Everything else stays. */
export async function recreateSession(home: Home, which: 'base' | 'pmAgent'): Promise<string> {
  createLayout(home)
  return alone(home, () =>
    withUndo(home, undefined, async (make, driver) => {
      const id = await make[which]()
      await storeSpecial(home, which, id, driver)
      return id
    }),
  )
}

/**
 * Stores the opencode session id of the base or the PM agent in its session file and in the index. `driver` is that of the
 * server which has it; absent, it stays as it is.
 */
export async function storeSpecial(
  home: Home,
  which: 'base' | 'pmAgent',
  id: string,
  driver?: Driver | undefined,
): Promise<void> {
  if (which === 'pmAgent') {
    await store(home, pmAgentSession, 'pm_agent', id, driver)
    await changeIndex(home, (index) => ({ ...index, pm_agent: id }))
    return
  }
  await store(home, baseName, 'base', id, driver)
  await changeIndex(home, (index) => ({ ...index, base: id, ...(driver && { driver: nameInFiles(driver) }) }))
}

function createLayout(home: Home): void {
  const { paths } = home
  for (const directory of [
    paths.home,
    paths.sessions,
    paths.worktrees,
    paths.base,
    paths.env,
    paths.logs,
    paths.queue,
  ]) {
    ensureDirectory(directory)
  }
  createExclusive(paths.config, defaultConfigText)
  createExclusive(path.join(paths.env, 'default.env'), defaultEnvTemplate)
  createExclusive(path.join(paths.env, 'pm-agent.env'), pmAgentEnvTemplate)
  createExclusive(path.join(paths.env, 'dev.env'), devEnvTemplate)
}

function makeSessions(home: Home, program: OpencodeProgram): Promise<Initialised> {
  return withUndo(home, program, async (make, driver) => {
    const base = await make.base()
    const pmAgent = await make.pmAgent()
    await store(home, baseName, 'base', base, driver)
    await store(home, pmAgentSession, 'pm_agent', pmAgent, driver)
    await changeIndex(home, (index) => ({ ...index, base, pm_agent: pmAgent, driver: nameInFiles(driver) }))
    return { base, pmAgent }
  })
}

/** Runs `work` with functions that make the two opencode sessions. If `work` fails, the sessions it made are deleted. */
async function withUndo<T>(
  home: Home,
  program: OpencodeProgram | undefined,
  work: (make: Record<'base' | 'pmAgent', () => Promise<string>>, driver: Driver) => Promise<T>,
): Promise<T> {
  const server = await agentServer(home, program)
  const undo = createUndo(home.warn)
  const make = async (title: string, priming: Priming) => {
    const id = await createSession(home, server, title, priming)
    undo.add(`the session ${id}`, () => server.connect(undefined).remove(id, home.paths.base))
    return id
  }
  try {
    const specials = {
      base: () => {
        home.progress('creating the base session')
        return make(baseTitle, { text: basePriming })
      },
      pmAgent: () => {
        home.progress('creating the PM agent session')
        return make(pmTitle, pmAgentPriming)
      },
    }
    return await work(specials, server.driver)
  } catch (error) {
    await undo.run()
    throw error
  }
}

/** A new session in the directory of base and PM agent, with its first message. */
export function createSession(home: Home, server: Server, title: string, priming: Priming): Promise<string> {
  return server.client.createPrimed(home.paths.base, { title, ...priming })
}

async function store(home: Home, name: string, type: string, id: string, driver: Driver | undefined): Promise<void> {
  await changeSession(home, name, (current) => ({
    ...current,
    type,
    ...(driver === undefined ? { opencode_session_id: id } : asSessionOn(driver, id, current)),
    worktree_path: home.paths.base,
    created_at: home.now().toISOString(),
    state: 'idle',
  }))
}

/** Deletes delegation logs, and transcripts of sessions that are gone; never the log that a running server writes. */
function clearLogs(home: Home): void {
  const sessions = readAllSessions(home)
  if (sessions === undefined) return // a transcript may be of a session that cannot be read
  const inUse = new Set(
    sessions.map(({ record }) => path.basename(home.paths.transcript(record.opencode_session_id ?? ''))),
  )
  for (const name of listDirectory(home.paths.logs)) {
    const log = name.replace(/^\./, '').replace(/\.written$/, '.log')
    if (!/^(dev|delegate)-.*\.log$/.test(log) || inUse.has(log)) continue
    const file = path.join(home.paths.logs, name)
    if (fs.lstatSync(file).isFile()) removeFile(file)
  }
}
