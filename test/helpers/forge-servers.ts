/**
 * Forges for tests: real HTTP on loopback. They take the requests of the published API and nothing else; whatever a
 * request has that is not of it (a path, a method, a parameter, a header) is answered with an error and kept in
 * `violations`, which must be empty when it is stopped. What they answer is in forge-answers.ts, which says where the
 * shapes come from; parameters and headers are those of the same documents.
 */
import { once } from 'node:events'
import * as http from 'node:http'
import * as https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ForgeKind } from '../../src/config/forge-types.ts'
import {
  giteaError,
  giteaPull,
  giteaRepository,
  giteaStatus,
  githubCheckRuns,
  githubError,
  githubPull,
  githubRepository,
  githubStatus,
  gitlabProject,
  gitlabPull,
  type Checks,
  type Pull,
  type Site,
} from './forge-answers.ts'

export type Kind = ForgeKind

/** What goes wrong, if anything does. */
export type Trouble =
  | 'fails' // status 500
  | 'hangs up'
  | 'is silent'
  | 'is cut off'
  | 'is not JSON'
  | 'has another shape'
  | 'is rate limited'
  | 'forbids'
  | 'wants a login'
  | 'moved'

export interface ForgeServer {
  kind: Kind
  /** Where it listens: http://127.0.0.1:port, or what it is called as https. */
  origin: string
  /** Where its API is. */
  api: string
  /** The repository it has. */
  site: Site
  pulls: Pull[]
  /** By commit. */
  checks: Map<string, Checks>
  /** The token that lets one see the repository; without one it is public. */
  token: string | undefined
  trouble: Trouble | undefined
  /** How many requests are still answered well before the trouble begins. */
  goodRequests: number
  /** With `moved`: where to. */
  movedTo: string
  /** What requests had that the API does not have. */
  violations: string[]
  requests: { url: string; token: string | undefined }[]
  /** Throws when there were violations. */
  stop: () => Promise<void>
}

export interface ForgeOptions {
  /** `me/app` without it. */
  repository?: string
  token?: string
  /** Makes it https, by the name of forge.test, which only a proxy can reach. */
  tls?: { key: string; cert: string }
}

/** Starts a forge. stop() it when the test is done. */
export async function startForge(kind: Kind, options: ForgeOptions = {}): Promise<ForgeServer> {
  const listener: http.RequestListener = (request, response) => {
    // Never without an answer, should a test's own function throw.
    try {
      answer(forge, request, response)
    } catch (error) {
      forge.violations.push(`the forge itself failed: ${String(error)}`)
      response.writeHead(500).end()
    }
  }
  const server = options.tls === undefined ? http.createServer(listener) : https.createServer(options.tls, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin = options.tls === undefined ? `http://127.0.0.1:${port}` : `https://forge.test:${port}`
  const segments = (options.repository ?? 'me/app').split('/')
  const api = `${origin}${dialects[kind].root}`
  const forge: ForgeServer = {
    kind,
    origin,
    api,
    // As Gitea's ROOT_URL does, the forge calls itself by another name than the one it is reached by.
    site: { web: 'https://forge.test', api, owner: segments.slice(0, -1).join('/'), repo: segments.at(-1) ?? '' },
    pulls: [],
    checks: new Map(),
    token: options.token,
    trouble: undefined,
    goodRequests: 0,
    movedTo: '',
    violations: [],
    requests: [],
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
      if (forge.violations.length > 0) throw new Error(`not of the API of ${kind}:\n${forge.violations.join('\n')}`)
    },
  }
  return forge
}

interface Answer {
  status: number
  body: unknown
  headers?: Record<string, string>
}

type Params = Record<string, string>

interface Route {
  path: RegExp
  /** The parameters it has, with what their values may be. */
  params: Record<string, RegExp>
  reply: (forge: ForgeServer, parts: string[], params: Params, url: URL) => Answer
}

function answer(forge: ForgeServer, request: http.IncomingMessage, response: http.ServerResponse): void {
  const url = new URL(request.url ?? '', forge.origin)
  const { problems, token } = credentialsOf(forge, request)
  forge.requests.push({ url: `${url.pathname}${url.search}`, token })
  if (misbehave(forge, response)) return
  const path = url.pathname.slice(new URL(forge.api).pathname.length)
  const route = url.pathname.startsWith(new URL(forge.api).pathname)
    ? dialects[forge.kind].routes.find((one) => one.path.test(path))
    : undefined
  if (request.method !== 'GET') problems.push(`method ${request.method}`)
  if (route === undefined) problems.push('no such path')
  const params: Params = {}
  for (const [name, value] of url.searchParams) {
    if (route !== undefined && route.params[name]?.test(value) !== true) problems.push(`parameter ${name}=${value}`)
    params[name] = value
  }
  forge.violations.push(...problems.map((problem) => `${request.method} ${request.url}: ${problem}`))
  const { error, unseen, routes: _, headers } = dialects[forge.kind]
  if (problems.length > 0 || route === undefined) return send(response, error(400, 'not of this API'), headers)
  if (forge.token !== undefined && token !== forge.token) return send(response, unseen(token !== undefined), headers)
  const parts = (route.path.exec(path) ?? []).slice(1).map(decodeURIComponent)
  const name = forge.kind === 'gitlab' ? parts.shift() : parts.splice(0, 2).join('/')
  if (name !== `${forge.site.owner}/${forge.site.repo}`) return send(response, unseen(false), headers)
  send(response, route.reply(forge, parts, params, url), headers)
}

function send(response: http.ServerResponse, { status, body, headers }: Answer, usual: Params): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...usual, ...headers })
  response.end(JSON.stringify(body))
}

/** The token as this kind of forge takes it, and what else is amiss with the headers. */
function credentialsOf({ kind }: ForgeServer, request: http.IncomingMessage) {
  const problems: string[] = []
  const { authorization } = request.headers
  const privateToken = [request.headers['private-token']].flat()[0]
  let token: string | undefined
  if (authorization !== undefined) {
    token = dialects[kind].authorization.exec(authorization)?.[1]
    if (token === undefined) problems.push('header authorization')
  }
  if (privateToken !== undefined) {
    if (kind === 'gitlab') token = privateToken
    else problems.push('header private-token')
  }
  if (kind === 'github') {
    if (!request.headers['user-agent']) problems.push('no user-agent')
    if (request.headers['accept'] !== 'application/vnd.github+json') problems.push('header accept')
    if (!['2022-11-28', '2026-03-10'].includes(`${request.headers['x-github-api-version']}`))
      problems.push('API version')
  }
  return { problems, token }
}

/** True when the request has got its answer, or its lack of one. */
function misbehave(forge: ForgeServer, response: http.ServerResponse): boolean {
  if (forge.trouble !== undefined && forge.goodRequests-- > 0) return false
  switch (forge.trouble) {
    case undefined:
      return false
    case 'fails':
      send(response, { status: 500, body: { message: 'Internal Server Error' } }, {})
      return true
    case 'hangs up':
      response.destroy()
      return true
    case 'is silent':
      return true
    case 'is cut off':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
      response.write('[{"number":', () => response.destroy())
      return true
    case 'is not JSON':
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>Welcome</html>')
      return true
    case 'has another shape':
      send(response, { status: 200, body: { message: 'ok' } }, {})
      return true
    case 'is rate limited':
      send(response, dialects[forge.kind].limited(), {})
      return true
    case 'forbids':
      send(response, dialects[forge.kind].error(403, 'Forbidden'), {})
      return true
    case 'wants a login':
      response.writeHead(302, { location: `${forge.movedTo}/login` }).end()
      return true
    case 'moved':
      response.writeHead(307, { location: forge.movedTo }).end()
      return true
  }
}

/** One page of a list and its headers, as all three forges page; the addresses are those the forge has for itself. */
function pageOf<T>(all: T[], params: Params, size: { name: string; usual: number; most: number }, url: URL) {
  const page = Number(params['page'] ?? 1)
  const items = Math.min(Number(params[size.name] ?? size.usual), size.most)
  const last = Math.max(1, Math.ceil(all.length / items))
  const to = (number: number) => {
    const next = new URL(url.pathname + url.search, 'https://forge.test')
    next.searchParams.set('page', `${number}`)
    return next.href
  }
  const links = [
    ...(page > 1 ? [`<${to(page - 1)}>; rel="prev"`, `<${to(1)}>; rel="first"`] : []),
    ...(page < last ? [`<${to(page + 1)}>; rel="next"`, `<${to(last)}>; rel="last"`] : []),
  ]
  return {
    items: all.slice((page - 1) * items, page * items),
    headers: links.length > 0 ? { link: links.join(', ') } : ({} as Params),
  }
}

const number = /^[1-9]\d*$/
const word = /^.+$/
const newestFirst = (pulls: Pull[]) => pulls.toSorted((one, other) => other.number - one.number)
const byNumber = (forge: ForgeServer, part: string | undefined) =>
  forge.pulls.find((pull) => pull.number === Number(part))
const reset = () => `${Math.floor(Date.parse('2026-04-01T13:00:00Z') / 1000)}`

interface Dialect {
  /** Where its API is on its host. */
  root: string
  /** The header that has the token. */
  authorization: RegExp
  routes: Route[]
  /** Headers of every answer. */
  headers: Params
  error: (status: number, message: string) => Answer
  /** What one gets who may not see the repository. */
  unseen: (withToken: boolean) => Answer
  limited: () => Answer
}

const notFound = (kind: Kind): Answer => dialects[kind].error(404, kind === 'gitlab' ? '404 Not found' : 'Not Found')

const giteaSize = { name: 'limit', usual: 30, most: 50 }
const githubSize = { name: 'per_page', usual: 30, most: 100 }
const gitlabSize = { name: 'per_page', usual: 20, most: 100 }

const gitea: Dialect = {
  root: '/api/v1',
  authorization: /^token (\S+)$/,
  headers: { 'cache-control': 'max-age=0, private, must-revalidate, no-transform' },
  error: (status, message) => ({ status, body: giteaError(message) }),
  unseen: (withToken) =>
    withToken
      ? { status: 401, body: giteaError('invalid username, password or token') }
      : { status: 404, body: giteaError("The target couldn't be found.") },
  // Gitea has no limit of its own: this is the proxy before it.
  limited: () => ({ status: 429, body: 'Too Many Requests', headers: { 'retry-after': '60' } }),
  routes: [
    {
      path: /^\/repos\/([^/]+)\/([^/]+)\/pulls$/,
      params: {
        state: /^(open|closed|all)$/,
        sort: /^(oldest|recentupdate|leastupdate|mostcomment|leastcomment|priority)$/,
        milestone: number,
        labels: number,
        poster: word,
        page: number,
        limit: number,
      },
      reply: (forge, _parts, params, url) => {
        const { state = 'open' } = params
        const fits = (pull: Pull) => state === 'all' || (pull.state === 'open') === (state === 'open')
        const all = newestFirst(forge.pulls).filter(fits)
        const { items, headers } = pageOf(all, params, giteaSize, url)
        const body = items.map((pull) => giteaPull(forge.site, pull))
        return { status: 200, body, headers: { ...headers, 'x-total-count': `${all.length}` } }
      },
    },
    {
      path: /^\/repos\/([^/]+)\/([^/]+)\/pulls\/(\d+)$/,
      params: {},
      reply: (forge, [index]) => {
        const pull = byNumber(forge, index)
        return pull === undefined ? notFound('gitea') : { status: 200, body: giteaPull(forge.site, pull) }
      },
    },
    {
      path: /^\/repos\/([^/]+)\/([^/]+)\/commits\/([^/]+)\/status$/,
      params: { page: number, limit: number },
      reply: (forge, [sha = ''], params, url) => {
        const { items, headers } = pageOf(forge.checks.get(sha)?.statuses ?? [], params, giteaSize, url)
        return { status: 200, body: giteaStatus(forge.site, sha, items), headers }
      },
    },
    {
      path: /^\/repos\/([^/]+)\/([^/]+)$/,
      params: {},
      reply: (forge) => ({ status: 200, body: giteaRepository(forge.site) }),
    },
  ],
}

const github: Dialect = {
  root: '/api/v3',
  authorization: /^(?:Bearer|token) (\S+)$/,
  headers: {
    'x-github-media-type': 'github.v3; format=json',
    'x-ratelimit-limit': '60',
    'x-ratelimit-remaining': '59',
    'x-ratelimit-reset': reset(),
  },
  error: (status, message) => ({ status, body: githubError(status, message) }),
  unseen: (withToken) =>
    withToken
      ? { status: 401, body: githubError(401, 'Bad credentials') }
      : { status: 404, body: githubError(404, 'Not Found') },
  limited: () => ({
    status: 403,
    body: githubError(403, 'API rate limit exceeded'),
    headers: { 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset() },
  }),
  routes: [
    {
      path: /^\/repos\/([^/]+)\/([^/]+)\/pulls$/,
      params: {
        state: /^(open|closed|all)$/,
        head: /^[^:]+:.+$/,
        base: word,
        sort: /^(created|updated|popularity|long-running)$/,
        direction: /^(asc|desc)$/,
        per_page: number,
        page: number,
      },
      reply: (forge, _parts, params, url) => {
        const { state = 'open', head, direction, sort = 'created' } = params
        const [owner, branch] =
          head === undefined ? [] : [head.slice(0, head.indexOf(':')), head.slice(head.indexOf(':') + 1)]
        const fits = (pull: Pull) =>
          (state === 'all' || (pull.state === 'open') === (state === 'open')) &&
          (head === undefined || (pull.branch === branch && (owner === forge.site.owner || pull.fork !== undefined)))
        const descending = (direction ?? (sort === 'created' ? 'desc' : 'asc')) === 'desc'
        const all = newestFirst(forge.pulls).filter(fits)
        const { items, headers } = pageOf(descending ? all : all.toReversed(), params, githubSize, url)
        return { status: 200, body: items.map((pull) => githubPull(forge.site, pull, false)), headers }
      },
    },
    {
      path: /^\/repos\/([^/]+)\/([^/]+)\/pulls\/(\d+)$/,
      params: {},
      reply: (forge, [index]) => {
        const pull = byNumber(forge, index)
        return pull === undefined ? notFound('github') : { status: 200, body: githubPull(forge.site, pull, true) }
      },
    },
    {
      path: /^\/repos\/([^/]+)\/([^/]+)\/commits\/([^/]+)\/status$/,
      params: { per_page: number, page: number },
      reply: (forge, [sha = ''], params, url) => {
        const all = forge.checks.get(sha)?.statuses ?? []
        const { items, headers } = pageOf(all, params, githubSize, url)
        return { status: 200, body: githubStatus(forge.site, sha, all, items), headers }
      },
    },
    {
      path: /^\/repos\/([^/]+)\/([^/]+)\/commits\/([^/]+)\/check-runs$/,
      params: {
        check_name: word,
        status: /^(queued|in_progress|completed)$/,
        filter: /^(latest|all)$/,
        app_id: number,
        per_page: number,
        page: number,
      },
      reply: (forge, [sha = ''], params, url) => {
        const all = forge.checks.get(sha)?.runs ?? []
        const { items, headers } = pageOf(all, params, githubSize, url)
        return { status: 200, body: githubCheckRuns(forge.site, sha, all.length, items), headers }
      },
    },
    {
      path: /^\/repos\/([^/]+)\/([^/]+)$/,
      params: {},
      reply: (forge) => ({ status: 200, body: githubRepository(forge.site) }),
    },
  ],
}

const gitlab: Dialect = {
  root: '/api/v4',
  authorization: /^Bearer (\S+)$/,
  headers: { 'x-request-id': '01', 'ratelimit-remaining': '1999', 'ratelimit-reset': reset() },
  error: (status, message) => ({ status, body: { message } }),
  unseen: (withToken) =>
    withToken
      ? { status: 401, body: { message: '401 Unauthorized' } }
      : { status: 404, body: { message: '404 Project Not Found' } },
  limited: () => ({
    status: 429,
    body: 'Retry later',
    headers: { 'retry-after': '60', 'ratelimit-remaining': '0', 'ratelimit-reset': reset() },
  }),
  routes: [
    {
      path: /^\/projects\/([^/]+)\/merge_requests$/,
      params: {
        state: /^(opened|closed|locked|merged|all)$/,
        order_by: /^(created_at|updated_at|title|merged_at)$/,
        sort: /^(asc|desc)$/,
        scope: /^(created_by_me|assigned_to_me|all)$/,
        view: /^simple$/,
        source_branch: word,
        target_branch: word,
        with_merge_status_recheck: /^(true|false)$/,
        per_page: number,
        page: number,
      },
      reply: (forge, _parts, params, url) => {
        const { state = 'all', source_branch: branch, sort = 'desc' } = params
        const fits = (pull: Pull) =>
          (state === 'all' || (pull.state === 'open' ? 'opened' : pull.state) === state) &&
          (branch === undefined || pull.branch === branch)
        const all = newestFirst(forge.pulls).filter(fits)
        const { items, headers } = pageOf(sort === 'desc' ? all : all.toReversed(), params, gitlabSize, url)
        return {
          status: 200,
          body: items.map((pull) => gitlabPull(forge.site, pull, false)),
          headers: { ...headers, 'x-total': `${all.length}`, 'x-page': params['page'] ?? '1' },
        }
      },
    },
    {
      path: /^\/projects\/([^/]+)\/merge_requests\/(\d+)$/,
      params: {
        render_html: /^(true|false)$/,
        include_diverged_commits_count: /^(true|false)$/,
        include_rebase_in_progress: /^(true|false)$/,
      },
      reply: (forge, [iid]) => {
        const pull = byNumber(forge, iid)
        return pull === undefined ? notFound('gitlab') : { status: 200, body: gitlabPull(forge.site, pull, true) }
      },
    },
    {
      path: /^\/projects\/([^/]+)$/,
      params: { statistics: /^(true|false)$/, license: /^(true|false)$/, with_custom_attributes: /^(true|false)$/ },
      reply: (forge) => ({ status: 200, body: gitlabProject(forge.site) }),
    },
  ],
}

const dialects: Record<Kind, Dialect> = { gitea, github, gitlab }
