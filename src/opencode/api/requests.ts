/** Sends requests to an opencode server, of version 1 or 2. */
import type * as z from 'zod/mini'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import type { Endpoint } from '../../driver/client.ts'
import { basicAuth, exchange, originOf } from '../../driver/http.ts'
import { noAnswer, RequestFailure } from '../../driver/request-failure.ts'
import { isDevice, letReadersThrough } from '../../platform/pipes.ts'
import { readByOpencode } from '../project-files.ts'
import { refusal } from './refusal.ts'

const requestTimeoutMs = 20_000
/**
 * The first request in a directory waits for what opencode loads there: plugins of the repository, some of which install or
 * download. Once for each user version 1 also waits for a package, under a lock that stays for a minute when an opencode ends
 * meanwhile (with 1.18 `init` was seen to take 68 s then).
 */
export const firstRequestMs = 120_000

export interface RequestOptions {
  directory?: string
  body?: unknown
  timeoutMs?: number
}

/**
 * Functions that ask the server at `endpoint`; `parameter` names the directory in an address. Every request has its own
 * timeout, because a booting server accepts connections that it never answers; `caller` aborts all. They throw KugetsuError
 * `opencode_request` with the route and what came back, or the error of refusal(); `status` of the `cause` (RequestFailure) is
 * the HTTP status. The reason of an aborted signal is thrown as it is.
 */
export function createRequests(endpoint: Endpoint, caller: AbortSignal | undefined, parameter: string) {
  const authorization = basicAuth(endpoint.password)
  const origin = originOf(endpoint)

  async function request(method: string, route: string, more: RequestOptions = {}): Promise<string> {
    const url = new URL(route, origin)
    if (more.directory !== undefined) url.searchParams.set(parameter, more.directory)
    const files = more.directory === undefined ? [] : readByOpencode(more.directory)
    if (more.timeoutMs === firstRequestMs) requireNoDevice(files)
    const timeout = AbortSignal.timeout(more.timeoutMs ?? requestTimeoutMs)
    const what = `${method} ${url.pathname}`
    const signal = caller === undefined ? timeout : AbortSignal.any([timeout, caller])
    // An agent may have replaced such a file with a pipe: the server would wait at it, and with a few pipes for ever. The
    // server goes on reading after it has answered.
    letReadersThrough(files, firstRequestMs)
    const { status, text } = await exchange(url, { method, authorization, body: more.body, signal }).catch((cause) => {
      if (caller?.aborted) throw caller.reason
      throw noAnswer(what, timeout.aborted ? 'no answer in time' : messageOf(cause), cause)
    })
    if (status < 200 || status > 299) throw refusal(what, status, text, more.directory)
    return text
  }

  async function ask<T>(schema: z.ZodMiniType<T>, ...args: Parameters<typeof request>): Promise<T> {
    const text = await request(...args)
    try {
      return schema.parse(JSON.parse(text))
    } catch (cause) {
      throw noAnswer(`${args[0]} ${args[1]}`, 'an answer that kugetsu does not understand', cause)
    }
  }

  return { request, ask }
}

/** Turns "there is no such session" into undefined; anything else stays an error. */
export async function unlessMissing<T>(work: Promise<T>, isMissing = isNotFound): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Whether the server has answered a request with status 404. */
export function isNotFound(error: unknown): boolean {
  return failureOf(error)?.status === 404
}

/** The server's refusal behind an error; undefined for any other error. */
export function failureOf(error: unknown): RequestFailure | undefined {
  const cause = error instanceof KugetsuError ? error.cause : undefined
  return cause instanceof RequestFailure ? cause : undefined
}

/**
 * Throws KugetsuError `bad_repository_config` before opencode reads a device for ever in the place of one of these files, which
 * costs gigabytes. Not for requests in a directory where opencode has read the files already.
 */
export function requireNoDevice(files: readonly string[]): void {
  const device = files.find(isDevice)
  if (device === undefined) return
  throw new KugetsuError(`opencode cannot read ${device}: it is a device`, {
    hint: 'Mend that file in the repository and push it, then start the agent again.',
    code: 'bad_repository_config',
  })
}
