/** The MCP servers of opencode's configuration, which it starts for each worktree and waits for before its first request. */
import { plainLine } from '../core/plain-text.ts'
import type { Client } from './api/client.ts'

const well = ['connected', 'disabled']

/**
 * What is wrong with them in a directory, one clause each: those that do not work, or that opencode waits for one after
 * `patienceMs`. Nothing where opencode cannot tell, as older versions. Asking opens the directory in opencode.
 */
export async function mcpTrouble(client: Client, directory: string, patienceMs: number): Promise<string[]> {
  const from = performance.now()
  try {
    const servers = Object.entries(await client.mcpServers(directory, patienceMs))
    return servers.flatMap(([name, { status, error }]) => {
      if (well.includes(status)) return []
      const why = error === undefined ? '' : `: ${plainLine(error, 200)}`
      return [
        `MCP server "${plainLine(name, 60)}" is not connected (${plainLine(status, 40).replaceAll('_', ' ')}${why})`,
      ]
    })
  } catch {
    if (performance.now() - from < patienceMs) return []
    return [`opencode waits for an MCP server that has not answered for ${patienceMs / 1000} s`]
  }
}
