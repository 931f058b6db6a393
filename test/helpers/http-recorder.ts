/** A server on loopback that answers every request and keeps what came, and which processes there were meanwhile. */
import { once } from 'node:events'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { commandLines } from './processes.ts'

export interface RecordedRequest {
  method: string
  url: string
  headers: http.IncomingHttpHeaders
  body: string
  /** The command lines of all processes while it waited for its answer. */
  processes: string[]
}

export interface HttpRecorder {
  /** http://127.0.0.1:port */
  origin: string
  /** In the order they came; a test may empty it. */
  requests: RecordedRequest[]
  close: () => Promise<void>
}

/** Starts one that answers `answer`. close() it when the test is done. */
export async function startHttpRecorder(answer: string): Promise<HttpRecorder> {
  const requests: RecordedRequest[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      requests.push({ method, url, headers, body: Buffer.concat(chunks).toString(), processes: commandLines() })
      response.end(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
