/** The issue of each kind of forge, and which kind answers at an address; answers in the shape of the published APIs. */
import { once } from 'node:events'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ForgeType } from '../../src/config/forge-types.ts'
import type { GitServer } from '../../src/config/git-servers.ts'
import { askKind } from '../../src/forges/ask-kind.ts'
import { issueOfNumber, openForge } from '../../src/forges/look-up.ts'

const signal = new AbortController().signal
const repository = { host: 'forge.test', owner: 'group/sub', repo: 'app' }

let server: http.Server
let url: string
let answers: Record<string, { status?: number; body: unknown }>
let asked: { url: string; token: boolean }[]
beforeEach(async () => {
  answers = {}
  asked = []
  server = http.createServer(({ url: path = '', headers }, response) => {
    asked.push({ url: path, token: headers['authorization'] !== undefined || headers['private-token'] !== undefined })
    const { status = 200, body } = answers[path] ?? { status: 404, body: { message: 'Not Found' } }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
})

const whole = { iid: 7, number: 7, state: 'open', title: 'It fails', labels: [] }
const paths = {
  gitea: '/api/v1/repos/group%2Fsub/app/issues/7',
  github: '/api/v3/repos/group%2Fsub/app/issues/7',
  gitlab: '/api/v4/projects/group%2Fsub%2Fapp/issues/7',
}
const bodies = {
  gitea: { ...whole, body: 'Every time.' },
  github: { ...whole, body: 'Every time.' },
  gitlab: { ...whole, description: 'Every time.' },
}

function issueOn(type: ForgeType) {
  const forge: GitServer = { name: 'forge.test', url, type, default: false, source: 'servers.json' }
  const options = { repository, server: forge, servers: [forge], variables: {}, env: {}, signal }
  return issueOfNumber(openForge(options)!, 7)
}

it.each(['gitea', 'github', 'gitlab'] as const)('the issue of %s has its title and text', async (kind) => {
  answers[paths[kind]] = { body: bodies[kind] }
  expect(await issueOn(kind)).toEqual({ title: 'It fails', text: 'Every time.' })
  // Without a text, both forms.
  answers[paths[kind]] = { body: { ...whole, body: null, description: null } }
  expect(await issueOn(kind)).toEqual({ title: 'It fails', text: '' })
})

it.each(['gitea', 'github', 'gitlab'] as const)('the issue of %s is unknown where it is not told', async (kind) => {
  expect(await issueOn(kind)).toBeUndefined()
  for (const answer of [{ status: 500, body: {} }, { status: 401, body: {} }, { body: { title: 7 } }, { body: [] }]) {
    answers[paths[kind]] = answer
    expect(await issueOn(kind), JSON.stringify(answer)).toBeUndefined()
  }
})

it.each([
  ['gitea', '/api/v1/version', { version: '1.24.0' }],
  ['github', '/api/v3/meta', { verifiable_password_authentication: true, installed_version: '3.18.0' }],
  ['gitlab', '/api/v4/projects?simple=true&per_page=1', [{ id: 1, path_with_namespace: 'group/app' }]],
] as const)('%s is known by its answer, without a token', async (kind, path, body) => {
  answers[path] = { body }
  expect(await askKind(url, { env: {}, signal })).toBe(kind)
  expect(asked.some(({ token }) => token)).toBe(false)
})

it('a web server that is no forge is none, nor is one that does not answer', async () => {
  for (const path of ['/api/v1/version', '/api/v3/meta', '/api/v4/projects?simple=true&per_page=1']) {
    answers[path] = { body: { hello: 'world' } }
  }
  expect(await askKind(url, { env: {}, signal })).toBeUndefined()
  expect(await askKind('http://127.0.0.1:9', { env: {}, signal })).toBeUndefined()
})

it('an interrupted question throws the reason', async () => {
  await expect(askKind(url, { env: {}, signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow('stopped')
})
