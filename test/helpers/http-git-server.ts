/** The repositories of a git server over http(s), to those who log in: the real `git http-backend` behind a small server. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import type { AddressInfo } from 'node:net'
import * as path from 'node:path'

export interface SeenRequest {
  url: string
  /** User name and password that came with it. */
  login: string | undefined
}

export interface HttpGitServer {
  /** `http://127.0.0.1:port` or https. */
  url: string
  host: string
  requests: SeenRequest[]
  /** Holds every request that is logged in, from now on; release() lets them go on. */
  hold: () => { held: () => number; release: () => void }
  stop: () => Promise<void>
}

export interface HttpGitServerOptions {
  /** The directory that has `owner/repo.git`. */
  repositories: string
  /** Who gets in, as `user:password`; everybody without it. */
  allow?: (login: string) => boolean
  /** What it answers as JSON beside git's paths, as a forge does: by path and query, and the headers. */
  api?: (url: string, headers: http.IncomingHttpHeaders) => object | undefined
  /** Sends a request elsewhere, by its path and query. */
  redirect?: (url: string, login: string | undefined) => string | undefined
  /** Makes it https. */
  tls?: { key: string; cert: string }
}

/** Starts one on a free port of 127.0.0.1. stop() it when the test is done. */
export async function startHttpGitServer(options: HttpGitServerOptions): Promise<HttpGitServer> {
  const requests: SeenRequest[] = []
  let gate: { held: number; open: Promise<void> } | undefined
  const program = path.join(
    execFileSync('git', ['--exec-path'], { encoding: 'utf8', timeout: 60_000 }).trim(),
    'git-http-backend',
  )

  const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const url = request.url ?? '/'
    const [, encoded] = /^Basic (.*)$/.exec(request.headers.authorization ?? '') ?? []
    const login = encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
    requests.push({ url, login })
    const json = options.api?.(url, request.headers)
    if (json !== undefined) {
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(json))
    }
    const elsewhere = options.redirect?.(url, login)
    if (elsewhere !== undefined) return void response.writeHead(302, { location: elsewhere }).end()
    if (options.allow !== undefined && !(login !== undefined && options.allow(login))) {
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    }
    if (gate !== undefined) {
      gate.held++
      await gate.open
    }
    serve(request, response, url)
  }

  const serve = (request: http.IncomingMessage, response: http.ServerResponse, url: string): void => {
    const { pathname, search } = new URL(url, 'http://server')
    const backend = spawn(program, [], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: options.repositories,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_COUNT: '2',
        GIT_CONFIG_KEY_0: 'http.receivepack',
        GIT_CONFIG_VALUE_0: 'true',
        GIT_CONFIG_KEY_1: 'safe.directory',
        GIT_CONFIG_VALUE_1: '*',
        PATH_INFO: decodeURIComponent(pathname),
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
        REMOTE_USER: 'somebody',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    request.pipe(backend.stdin)
    backend.stdin.on('error', () => {}) // it may end without reading everything
    const chunks: Buffer[] = []
    backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    backend.on('error', () => response.destroy())
    backend.on('close', () => {
      const output = Buffer.concat(chunks)
      const end = output.indexOf('\r\n\r\n')
      const headers = output.subarray(0, end).toString('latin1').split('\r\n')
      let status = 200
      for (const line of headers) {
        const [name = '', value = ''] = line.split(/: (.*)/)
        if (name === 'Status') status = Number.parseInt(value, 10)
        else response.setHeader(name, value)
      }
      response.writeHead(status).end(output.subarray(end + 4))
    })
  }

  const listener = (request: http.IncomingMessage, response: http.ServerResponse) =>
    void answer(request, response).catch(() => response.destroy())
  const server = options.tls === undefined ? http.createServer(listener) : https.createServer(options.tls, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}`,
    host,
    requests,
    hold: () => {
      let release = () => {}
      const open = new Promise<void>((resolve) => (release = resolve))
      const mine = { held: 0, open }
      gate = mine
      return {
        held: () => mine.held,
        release: () => {
          gate = undefined
          release()
        },
      }
    },
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A certificate for 127.0.0.1 that signs itself, in `directory`; undefined where there is no openssl to make it. */
export function selfSigned(directory: string): { key: string; cert: string; file: string } | undefined {
  const at = (name: string) => path.join(directory, name)
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:forge.test']
  try {
    execFileSync('openssl', [...args, ...names, '-keyout', at('key.pem'), '-out', at('cert.pem')], {
      stdio: 'ignore',
      timeout: 60_000,
    })
  } catch {
    return undefined
  }
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => fs.readFileSync(at(name), 'utf8'))
  return key === undefined || cert === undefined ? undefined : { key, cert, file: at('cert.pem') }
}
