import { pmAgentDefinition, pmAgentName } from '../agents/pm-agent.ts'
import type { Home } from '../config/home.ts'
import { databasePath } from '../opencode/database.ts'
import { ensureServer, type Server } from '../opencode/server.ts'
import { slotHolders } from './slots.ts'
import { pmAgentSession, readSession } from './store.ts'

/** The opencode server of this home with kugetsu's agents defined in it, started if need be. */
export function agentServer(home: Home): Promise<Server> {
  return ensureServer(home, {
    isIdle: () => slotHolders(home).every(({ phase }) => phase !== 'run') && !readSession(home, pmAgentSession)?.run,
    agents: { [pmAgentName]: pmAgentDefinition() },
  })
}

/** Where the server of this home keeps its database. */
export function serverDatabase(home: Home): string {
  return databasePath(home.env, home.userHome)
}
