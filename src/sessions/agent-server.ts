import { pmAgentDefinition, pmAgentName } from '../agents/pm-agent.ts'
import type { Home } from '../config/home.ts'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'
import { databasePath, dateBack } from '../opencode/database.ts'
import { ensureServer, type Server } from '../opencode/server.ts'
import { closeToolOutput } from '../opencode/tool-output.ts'
import { isAlive } from '../platform/processes.ts'
import { slotHolders } from './slots.ts'
import { pmAgentSession, readSession, readSessions } from './store.ts'

/** The opencode server of this home with kugetsu's agents defined in it, started if need be. */
export function agentServer(home: Home): Promise<Server> {
  return ensureServer(home, {
    isIdle: () => slotHolders(home).every(({ phase }) => phase !== 'run') && !readSession(home, pmAgentSession)?.run,
    agents: { [pmAgentName]: pmAgentDefinition() },
    beforeBoot: () => {
      followTheClock(home)
      closeToolOutput(home)
    },
  })
}

/** The clock may have been put back since our sessions were last at work. */
function followTheClock(home: Home): void {
  try {
    const ids = readSessions(home).flatMap(({ record }) => record.opencode_session_id ?? [])
    dateBack(serverDatabase(home), ids, home.now())
  } catch (error) {
    home.warn(`cannot see whether opencode's messages are from the future: ${messageOf(error)}`)
  }
}

/** What went wrong: that the server died, when that is why it did not do what it was asked. */
export function toldByDeath(error: unknown, server: Server | undefined): unknown {
  if (codeOf(error) !== 'opencode_request' || server === undefined || isAlive(server.record)) return error
  return new KugetsuError('the opencode server died while the agent was being started', {
    hint: 'Try again: that starts a new one. Its log is logs/opencode-server.log in the kugetsu home.',
    code: 'server_died',
    cause: error,
  })
}

/** Where the server of this home keeps its database. */
export function serverDatabase(home: Home): string {
  return databasePath(home.env, home.userHome)
}
