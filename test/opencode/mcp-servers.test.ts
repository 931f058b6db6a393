import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createRoutes } from '../../src/opencode/api/routes.ts'
import { mcpTrouble } from '../../src/opencode/mcp-servers.ts'

let server: http.Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** What is told of a server that answers `GET /mcp` so, or not at all. */
async function told(status: number, body: string | undefined): Promise<string[]> {
  const listening = http.createServer((_request, response) => {
    if (body !== undefined) response.writeHead(status).end(body)
  })
  server = listening
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const { port } = listening.address() as AddressInfo
  return mcpTrouble(createRoutes({ port, password: 'x' }), '/w', body === undefined ? 300 : 10_000)
}

describe('what is wrong with MCP servers', () => {
  it('is told of those that are neither connected nor turned off', async () => {
    const servers = {
      good: { status: 'connected' },
      off: { status: 'disabled' },
      silent: { status: 'failed', error: 'Operation timed out after 30000ms' },
      closed: { status: 'needs_auth' },
    }
    expect(await told(200, JSON.stringify(servers))).toEqual([
      'MCP server "silent" is not connected (failed: Operation timed out after 30000ms)',
      'MCP server "closed" is not connected (needs auth)',
    ])
  })

  it('is told of one that opencode waits for', async () => {
    expect(await told(200, undefined)).toEqual(['opencode waits for an MCP server that has not answered for 0.3 s'])
  })

  it('is nothing where opencode does not tell', async () => {
    expect(await told(404, 'NotFound')).toEqual([])
    expect(await told(200, '<!doctype html>')).toEqual([])
    expect(await told(500, 'oops')).toEqual([])
  })
})
