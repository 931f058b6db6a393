import { setTimeout as sleep } from 'node:timers/promises'
import { pmAgentDefinition, pmAgentName } from '../../agents/pm-agent.ts'
import type { Home } from '../../config/home.ts'
import { codeOf, KugetsuError } from '../../core/errors.ts'
import { ensureServer, type Server } from '../../server/server.ts'
import type { OpencodeProgram } from '../../server/program.ts'
import { RequestFailure } from '../../driver/request-failure.ts'
import { isAlive } from '../../platform/processes.ts'
import { sessionsAtWork } from './at-work.ts'
import { slotHolders } from '../slots/slots.ts'
import { changeSession, pmAgentSession, readSession, readSessions } from '../file/store.ts'

/** How long a killed server may look alive: it has to release a gigabyte of memory. */
const deathMs = 2_000

/**
 * The opencode server of this home with kugetsu's agents defined in it, started if need be. `program` is for a caller that
 * has just asked it.
 */
export function agentServer(home: Home, program?: OpencodeProgram): Promise<Server> {
  return ensureServer(home, {
    program,
    isIdle: () => slotHolders(home).every(({ phase }) => phase !== 'run') && !readSession(home, pmAgentSession)?.run,
    agents: { [pmAgentName]: pmAgentDefinition() },
    sessions: () => readSessions(home).flatMap(({ record }) => record.opencode_session_id ?? []),
  })
}

/** The error to report: `server_died` if a request failed because the server died, else the error itself. */
export function toldByDeath(error: unknown, server: Server | undefined): unknown {
  if (codeOf(error) !== 'opencode_request' || server === undefined || isAlive(server.record)) return error
  return new KugetsuError('the opencode server died while the agent was being started', {
    hint: 'Try again: that starts a new one. Its log is logs/opencode-server.log in the kugetsu home.',
    code: 'server_died',
    cause: error,
  })
}

/**
 * Excuses the runs of a server that died while an agent was being started: what it loads for a start, such as a plugin
 * of the repository, has probably killed it. Call this before the runs are resumed.
 */
export async function excuseRuns(
  home: Home,
  error: unknown,
  server: Pick<Server, 'record'> | undefined,
): Promise<void> {
  const isUnanswered = codeOf(error) === 'opencode_request' && !((error as Error).cause instanceof RequestFailure)
  if (!isUnanswered || server === undefined || !(await isDying(server))) return
  const { marker } = server.record
  for (const { name } of sessionsAtWork(home).filter(({ record }) => record.run.server === marker)) {
    await changeSession(home, name, (current) =>
      current?.run?.server === marker ? { ...current, run: { ...current.run, excused: marker } } : undefined,
    )
  }
}

/** Whether the server is dead or dies within `deathMs`. Its agents end with it, and it takes a moment to be gone. */
export async function isDying(server: Pick<Server, 'record'>): Promise<boolean> {
  const until = performance.now() + deathMs
  while (isAlive(server.record) && performance.now() < until) await sleep(20)
  return !isAlive(server.record)
}
