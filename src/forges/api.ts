/**
 * Requests to a forge's API. Anything but a well-formed answer (an outage, a rate limit, a login page, a redirect elsewhere)
 * is Unclear, with the reason in words: it must never look like "there is none".
 */
import * as http from 'node:http'
import * as https from 'node:https'
import type * as z from 'zod/mini'
import { codeOf } from '../core/errors.ts'
import { plainLine } from '../core/plain-text.ts'
import { Unclear, type Api, type Query } from './forge.ts'
import { proxyFor, tunnel, type Variables } from './proxy.ts'

const requestTimeoutMs = 10_000
const longestAnswer = 32 * 1024 * 1024
const mostRedirects = 3

export interface ApiOptions {
  /** Where the API is, http or https. */
  base: string
  /** Sent with every request, and only to that host. */
  headers: Record<string, string>
  /** The environment, for the proxy it names. */
  env: Variables
  signal: AbortSignal
}

/** An API at one place. */
export function createApi({ base, headers, env, signal }: ApiOptions): Api {
  async function get<T>(path: string, schema: z.ZodMiniType<T>, query: Query = {}) {
    const first = new URL(`${base.replace(/\/+$/, '')}/${path}`)
    for (const [name, value] of Object.entries(query)) first.searchParams.set(name, `${value}`)
    let url = first
    for (let redirects = 0; ; redirects++) {
      const answer = await ask(url, headers, { env, signal })
      const next = redirectOf(answer, url)
      if (next !== undefined) {
        if (next.origin !== first.origin) throw new Unclear(`${first.host} redirects to ${plainLine(next.origin, 100)}`)
        if (redirects === mostRedirects) throw new Unclear(`${first.host} redirects again and again`)
        url = next
        continue
      }
      if (answer.status === 404) return undefined
      if (answer.status !== 200) throw new Unclear(`${first.host} ${refusal(answer, headers)}`)
      return { data: parsed(answer, schema, first.host), more: goesOn(answer) }
    }
  }
  return { get }
}

/** Whether a token may be sent there: encrypted, or to this machine. */
export function isConfidential(url: URL): boolean {
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/.test(url.hostname)
}

interface Answer {
  status: number
  headers: http.IncomingHttpHeaders
  text: string
}

/** One GET and its whole answer. */
async function ask(
  url: URL,
  headers: Record<string, string>,
  { env, signal }: Pick<ApiOptions, 'env' | 'signal'>,
): Promise<Answer> {
  signal.throwIfAborted()
  const timeout = AbortSignal.timeout(requestTimeoutMs)
  const either = AbortSignal.any([signal, timeout])
  return exchange(url, headers, { env, signal: either }).catch((error: unknown) => {
    signal.throwIfAborted()
    if (error instanceof Unclear) throw error
    // Not the error's own words: they may hold more than a person needs.
    const why = timeout.aborted ? 'does not answer in time' : `cannot be reached (${codeOf(error) ?? 'no answer'})`
    throw new Unclear(`${url.host} ${why}`)
  })
}

async function exchange(
  url: URL,
  headers: Record<string, string>,
  { env, signal }: Pick<ApiOptions, 'env' | 'signal'>,
): Promise<Answer> {
  const proxy = proxyFor(url, env)
  const socket = proxy && (await tunnel(proxy, url, signal))
  const { request } = url.protocol === 'https:' ? https : http
  return new Promise<Answer>((resolve, reject) => {
    // Keep no connection open: the other side may close it just as the next request goes out.
    const connection = socket === undefined ? { agent: false } : { createConnection: () => socket }
    const options = { headers, signal, ...connection }
    const sent = request(url, options, (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        chunks.push(chunk)
        if (length <= longestAnswer) return
        reject(new Unclear(`${url.host} sends too long an answer`))
        sent.destroy()
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

function redirectOf({ status, headers }: Answer, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined
  try {
    const to = new URL(headers.location ?? '', from)
    // Keep the query: a list without its filter would be another list.
    if (to.search === '') to.search = from.search
    return to
  } catch {
    throw new Unclear(`${from.host} redirects to an invalid URL`)
  }
}

function refusal({ status, headers }: Answer, sent: Record<string, string>): string {
  const hasToken = Object.keys(sent).some((name) => /^(?:authorization|private-token)$/i.test(name))
  if (status === 429 || (status === 403 && isRateLimited(headers)))
    return `refuses because of its rate limit (${until(headers)})`
  if (status === 401) return hasToken ? 'does not accept the token' : 'wants a token'
  if (status === 403) return 'refuses access'
  return `answers with status ${status}`
}

function isRateLimited(headers: http.IncomingHttpHeaders): boolean {
  return headers['retry-after'] !== undefined || headers['x-ratelimit-remaining'] === '0'
}

function until(headers: http.IncomingHttpHeaders): string {
  const reset = Number(headers['x-ratelimit-reset'] ?? headers['ratelimit-reset'])
  // A larger number is not a time.
  return reset > 0 && reset < 1e11 ? ` until ${new Date(reset * 1000).toISOString().slice(0, 19)}Z` : ''
}

function parsed<T>({ headers, text }: Answer, schema: z.ZodMiniType<T>, host: string): T {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    const type = plainLine(headers['content-type'] ?? 'nothing', 60)
    throw new Unclear(`${host} answers with ${type}, not with JSON`)
  }
  const result = schema.safeParse(json)
  if (!result.success) throw new Unclear(`${host} gives an answer that kugetsu does not understand`)
  return result.data
}

/** Whether the Link header names a next page. Its URLs are not used: they may name the server by another address. */
function goesOn({ headers }: Answer): boolean {
  return /;\s*rel="?next"?/.test([headers['link']].flat().join(','))
}
