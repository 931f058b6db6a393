import { once } from 'node:events'
import * as fs from 'node:fs'
import * as http from 'node:http'
import * as net from 'node:net'
import * as path from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { startForge, type ForgeServer } from '../helpers/forge-servers.ts'
import { selfSigned } from '../helpers/http-git-server.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

const token = 'gitea-token-of-the-tests'
const login = `Basic ${Buffer.from('me:p@ss').toString('base64')}`

let stage: Stage
let forge: ForgeServer | undefined
let proxy: http.Server
/** What the proxy was asked to connect to. */
let targets: string[]
let certificate: ReturnType<typeof selfSigned>
beforeAll(async () => {
  stage = await setStage()
  certificate = selfSigned(stage.home.root)
  if (certificate === undefined) return
  forge = await startForge('gitea', { token, tls: certificate })
  forge.pulls = [{ number: 7, branch: 'by-hand', state: 'open', headSha: 'd'.repeat(40) }]
  proxy = await startProxy()
  await stage.ok(['server', 'add', 'forge.test', stage.git.url, '--type', 'gitea', '--api', forge.api])
  fs.appendFileSync(path.join(stage.home.kugetsuDir, 'env', 'default.env'), `export GITEA_TOKEN="${token}"\n`)
  await stage.ok(['start', ref(1), 'SAY{{done}}', '--wait'])
})
beforeEach(({ skip }) => {
  targets = []
  if (certificate === undefined) skip('no openssl to make a certificate with')
})
afterAll(async () => {
  await stage.cleanup()
  await forge?.stop()
  proxy?.close()
})

/** A real proxy, for those who log in; it knows where forge.test is. */
async function startProxy(): Promise<http.Server> {
  const server = http.createServer((_, response) => void response.writeHead(400).end())
  server.on('connect', (request, client: net.Socket) => {
    targets.push(request.url ?? '')
    if (request.headers['proxy-authorization'] !== login) {
      return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    }
    const [host, port] = (request.url ?? '').split(':')
    if (host !== 'forge.test') return void client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
    const there = net.connect(Number(port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      there.pipe(client).pipe(there)
    })
    for (const [one, other] of [
      [there, client],
      [client, there],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

const at = (user: string) => `http://${user}127.0.0.1:${(proxy.address() as net.AddressInfo).port}`
const setPr = (env: Record<string, string>) =>
  stage.kugetsu(['set-pr', 'app#1', 'https://forge.test/me/app/pulls/7'], {
    env: { NODE_EXTRA_CA_CERTS: certificate?.file ?? '', ...env },
  })

it('a forge behind a proxy is asked through it, with the login it wants', async () => {
  const said = await setPr({ HTTPS_PROXY: at('me:p%40ss@') })
  expect(said).toMatchObject({ code: 0, stderr: '' })
  expect(said.stdout).toContain('\n  open')
  expect(new Set(targets)).toEqual(new Set([new URL(forge?.origin ?? '').host]))
  expect(forge?.requests.at(-1)?.token).toBe(token)
  expect(await stage.session(1)).toMatchObject({ pr_url: 'https://forge.test/me/app/pulls/7' })
})

it('a forge that NO_PROXY names is not', async () => {
  const { stdout } = await setPr({ HTTPS_PROXY: at('me:p%40ss@'), NO_PROXY: 'forge.test' })
  expect(stdout).toMatch(/forge\.test:\d+ cannot be reached \((?:ENOTFOUND|EAI_AGAIN)\)/)
  expect(targets).toEqual([])
})

it('says what is wrong with the proxy, and never its password', async () => {
  const proxied = new URL(at('')).host
  const wrong = await setPr({ HTTPS_PROXY: at('me:wrong-pass@') })
  expect(wrong.stdout).toContain(`the proxy ${proxied} needs a login (in HTTPS_PROXY)`)
  expect(`${wrong.stdout}${wrong.stderr}`).not.toContain('wrong-pass')
  const gone = await setPr({ https_proxy: 'http://me:wrong-pass@127.0.0.1:9' })
  expect(gone.stdout).toContain('the proxy 127.0.0.1:9 cannot be reached (ECONNREFUSED)')
  expect(`${gone.stdout}${gone.stderr}`).not.toContain('wrong-pass')
})

it('a certificate that nobody vouches for is refused behind a proxy too', async () => {
  const { stdout } = await setPr({ HTTPS_PROXY: at('me:p%40ss@'), NODE_EXTRA_CA_CERTS: '' })
  expect(stdout).toContain('cannot be reached (DEPTH_ZERO_SELF_SIGNED_CERT)')
})
