/** MCP servers that do not answer: opencode 1 waits 30 s for each before the first request in a worktree. */
import { maskerOf } from '../../agents/known-secrets.ts'
import { findServer } from '../../server/server.ts'
import { pass, some, warn, type Check } from '../check.ts'

/** A server started with npx is slow. */
const patienceMs = 10_000

export const mcpServers: Check = {
  name: 'MCP servers',
  look: async ({ home, server: record, sessions }) => {
    // findServer would set aside a file that it cannot understand.
    const server = record() === undefined ? undefined : findServer(home)
    if (server === undefined) return pass('their state is known only while the server runs')
    // Repositories of agents may have their own MCP servers. Only worktrees with a run: asking would open the others.
    const open = sessions().flatMap(({ record: { run, worktree_path: place } }) => (run && place ? [place] : []))
    const directories = [...new Set([home.paths.base, ...open])]
    const told = await Promise.all(directories.map((each) => server.client.mcpTrouble(each, patienceMs)))
    home.signal.throwIfAborted()
    const trouble = [...new Set(told.flat())]
    return trouble.length === 0
      ? pass('none that opencode has trouble with')
      : warn(
          maskerOf(home)(some(trouble)),
          'Agents lack its tools, and with opencode 1 each waits for it at its start. Repair it, or turn it off in opencode.json.',
        )
  },
}
