import * as http from 'node:http'
import type { Endpoint } from './client.ts'

export interface Exchange {
  method: string
  authorization: string
  /** Sent as JSON; nothing when undefined. */
  body: unknown
  signal: AbortSignal
}

/**
 * One HTTP request to loopback and its whole answer. Uses node:http, because fetch takes 40 ms to load: more than all
 * requests of a `start` together. Rejects when there is no answer, or the signal aborts.
 */
export function exchange(
  url: URL,
  { method, authorization, body, signal }: Exchange,
): Promise<{ status: number; text: string }> {
  const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
  const headers = { authorization, 'content-type': 'application/json', 'content-length': content?.length ?? 0 }
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, signal }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    request.on('error', reject)
    request.end(content)
  })
}

/** The header by which opencode knows its user. */
export function basicAuth(password: string): string {
  return `Basic ${Buffer.from(`opencode:${password}`).toString('base64')}`
}

export function originOf(endpoint: Endpoint): string {
  return `http://127.0.0.1:${endpoint.port}`
}
