/** The MCP servers of opencode's configuration. opencode starts them for each worktree, and its first request waits. */
import { plainLine } from '../core/plain-text.ts'
import type { Routes } from './api/routes.ts'

const well = ['connected', 'disabled']

/**
 * What is wrong with them in a directory, one clause each: the servers that do not work, or that opencode still waits for
 * one after `patienceMs` milliseconds. Empty when opencode cannot tell, as in older versions. Asking opens the directory in
 * opencode.
 */
export async function mcpTrouble(routes: Routes, directory: string, patienceMs: number): Promise<string[]> {
  const from = performance.now()
  try {
    const servers = Object.entries(await routes.mcpServers(directory, patienceMs))
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
