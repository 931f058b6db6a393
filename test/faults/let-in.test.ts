/**
 * Who else could drive the agents or read their secrets: other users of the machine, pages in the user's browser, other
 * hosts. On the real server and the real sockets.
 */
import { execFile, execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as os from 'node:os'
import * as path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { askDaemon, listen, socketPath } from '../../src/daemon/socket.ts'
import { pathsOf } from '../../src/config/paths.ts'
import { commandLines } from '../helpers/processes.ts'
import { createServiceHome } from '../helpers/service-home.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const asRoot = process.getuid?.() === 0
let stage: Stage
let origin: string
let password: string
beforeAll(async () => {
  stage = await setStage({ config: { KUGETSU_SERVER_IDLE_MINUTES: 60 } })
  fs.appendFileSync(path.join(stage.home.kugetsuDir, 'env', 'dev.env'), 'export DEV_TOKEN="canary-of-dev-env"\n')
  // An agent at work, and a command of its that tells what it was given.
  await stage.ok(['start', ref(1), 'BASH{{env > env.tmp; mv env.tmp env.txt; sleep 600}}'])
  await waitFor('the environment of the agent', () => fs.existsSync(path.join(stage.worktree(1), 'env.txt')))
  await waitFor('the daemon', () => fs.existsSync(path.join(stage.home.kugetsuDir, 'queue', 'daemon.sock')))
  const server = stage.server()
  origin = `http://127.0.0.1:${server?.port}`
  password = server?.password ?? ''
})
afterAll(() => stage.cleanup())

const sessions = () => stage.look().routes.sessions
const basic = (user: string, secret: string) => `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`
const ask = async (route: string, options: RequestInit = {}) => {
  const response = await fetch(origin + route, { ...options, redirect: 'manual', signal: AbortSignal.timeout(30_000) })
  await response.body?.cancel()
  return response
}
/** opencode 2 shows its web page, the same for everybody, in the place of what is not there. */
const page = async () => {
  const response = await fetch(`${origin}/nothing-is-here`)
  return response.status === 200 && stage.look().kind === 'opencode2' ? response.text() : undefined
}

describe('the opencode server', () => {
  it('has no route that answers without its password', async () => {
    const { json } = await stage.opencode(stage.look().routes.description)
    const { paths } = json as { paths: Record<string, Record<string, unknown>> }
    const methods = ['get', 'post', 'put', 'patch', 'delete', 'head']
    const routes = Object.entries(paths).flatMap(([route, operations]) =>
      methods
        .filter((method) => method in operations)
        .map((method) => ({ method, route: route.replace(/\{[^}]+\}/g, 'x'), mayBePage: false })),
    )
    expect(routes.length).toBeGreaterThan(50)
    const others = [
      '/',
      '/index.html',
      '/doc',
      '/openapi.json',
      '/event',
      '/global/event',
      '/api/event',
      `/${sessions()}`,
      `${sessions()}/`,
      sessions().toUpperCase(),
      `${sessions()}?token=x`,
    ]
    const all = [...routes, ...others.map((route) => ({ method: 'get', route, mayBePage: true }))]
    const wrong = [
      undefined,
      basic('opencode', 'wrong'),
      basic('opencode', ''),
      basic('', password),
      `Bearer ${password}`,
    ]
    const answered: string[] = []
    const shown = await page()
    expect(shown ?? '<!doctype html>').toMatch(/^<!doctype html>/i)
    const isPage = async (route: string, options: RequestInit) =>
      shown !== undefined && (await (await fetch(origin + route, options)).text()) === shown
    for (const { method, route, mayBePage } of all) {
      // Every route without, and each with one of the wrong ones in turn.
      const given = [undefined, wrong[1 + ((answered.length + route.length) % (wrong.length - 1))]]
      for (const authorization of given) {
        const headers = authorization === undefined ? {} : { authorization }
        const { status } = await ask(route, { method: method.toUpperCase(), headers })
        if (status !== 401 && !(mayBePage && (await isPage(route, { headers }))))
          answered.push(`${method} ${route} with ${authorization}: ${status}`)
      }
    }
    for (const authorization of wrong.slice(1))
      expect((await ask(sessions(), { headers: { authorization: authorization ?? '' } })).status).toBe(401)
    expect(answered).toEqual([])
    expect((await stage.opencode(sessions())).status).toBe(200)
  })

  it('lets no page of another site read an answer or send a password', async () => {
    for (const site of [
      'https://evil.test',
      'http://evil.test:3000',
      'null',
      'https://opencode.ai.evil.test',
      'file://',
    ]) {
      const headers = { origin: site, authorization: basic('opencode', password) }
      const answer = await ask(sessions(), { headers })
      expect([site, answer.headers.get('access-control-allow-origin')]).toEqual([site, null])
      const preflight = await ask(sessions(), {
        method: 'OPTIONS',
        headers: {
          origin: site,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization',
        },
      })
      expect([site, preflight.headers.get('access-control-allow-origin')]).toEqual([site, null])
    }
    // It does allow pages of this machine to ask; what they lack is the password, which no browser has.
    for (const site of ['http://localhost:3000', 'http://127.0.0.1:8080', 'https://app.opencode.ai']) {
      const answer = await ask(sessions(), { headers: { origin: site } })
      expect([site, answer.status]).toEqual([site, 401])
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    }
  })

  it('is no use to a page whose name was pointed to this machine', async () => {
    // fetch() sets the Host header itself, so this is written by hand.
    const said = await new Promise<string>((resolve, reject) => {
      const socket = net.connect(Number(new URL(origin).port), '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => (text += chunk.toString()))
      socket.on('error', reject)
      socket.on('close', () => resolve(text))
      socket.write(`GET ${sessions()} HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n`)
    })
    expect(said).toMatch(/^HTTP\/1\.1 401 /)
  })

  it('listens on 127.0.0.1 alone', async () => {
    const port = Number(new URL(origin).port)
    const own = Object.values(os.networkInterfaces()).flatMap((each) => each ?? [])
    const addresses = [
      ...own
        .filter(({ internal }) => !internal)
        .map(({ address, scopeid }) => (scopeid ? `${address}%${scopeid}` : address)),
      '::1',
      '127.0.0.2',
    ]
    for (const host of addresses) {
      const reached = await new Promise<boolean>((resolve) => {
        const socket = net.connect({ port, host, timeout: 5_000 })
        const done = (is: boolean) => resolve((socket.destroy(), is))
        socket
          .on('connect', () => done(true))
          .on('error', () => done(false))
          .on('timeout', () => done(false))
      })
      expect([host, reached]).toEqual([host, false])
    }
  })

  it('has its password in no argument, no command of an agent and no file but its own', () => {
    const given = fs.readFileSync(path.join(stage.worktree(1), 'env.txt'), 'utf8')
    expect(given).toContain('canary-of-dev-env')
    expect(given).toMatch(/^KUGETSU_ISSUE_REF=/m)
    expect(given).not.toContain(password)
    expect(commandLines().filter((line) => line.includes(password) || line.includes('canary-of-dev-env'))).toEqual([])
    const files = (
      execFileSync('grep', ['-rlF', '--', password, stage.home.kugetsuDir, stage.home.root], { encoding: 'utf8' }) || ''
    )
      .split('\n')
      .filter((line) => line !== '')
    expect([...new Set(files)]).toEqual([path.join(stage.home.kugetsuDir, 'opencode', 'server.json')])
  })
})

describe('another user of this machine', () => {
  /** What a user who is nobody gets to see: the program prints one line a try. */
  const asNobody = async (program: string): Promise<string> => {
    const args = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '-e', program]
    return (
      await promisify(execFile)('setpriv', args, { env: { PATH: process.env['PATH'] }, cwd: '/', timeout: 60_000 })
    ).stdout
  }
  const canBeNobody = (() => {
    try {
      execFileSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '-e', '0'], {
        cwd: '/',
        stdio: 'ignore',
      })
      return asRoot
    } catch {
      return false // not root, or a Node that others may not run: the modes are looked at below
    }
  })()

  it.skipIf(!canBeNobody)('can read no file of the home and reach no socket in it', async () => {
    // The directory around the home keeps others out as well, which is a test's and not kugetsu's doing.
    fs.chmodSync(stage.home.root, 0o755)
    try {
      const home = stage.home.kugetsuDir
      const names = [
        '',
        'config',
        'index.json',
        'env/dev.env',
        'opencode/server.json',
        'journal.jsonl',
        'queue/daemon.sock',
        'logs',
        'worktrees',
      ]
      const said = await asNobody(`
        const fs = require('node:fs'), net = require('node:net')
        for (const name of ${JSON.stringify(names)}) {
          const file = ${JSON.stringify(`${home}/`)} + name
          for (const [how, look] of [['read', () => fs.readFileSync(file)], ['list', () => fs.readdirSync(file)], ['write', () => fs.appendFileSync(file, 'x')]]) {
            try { look(); console.log(how + ' ' + name + ' yes') } catch (error) { console.log(how + ' ' + error.code) }
          }
        }
        const socket = net.connect(${JSON.stringify(`${home}/queue/daemon.sock`)})
        socket.on('connect', () => { console.log('connect yes'); process.exit() })
        socket.on('error', (error) => console.log('connect ' + error.code))`)
      const lines = said.trim().split('\n')
      expect(lines).toHaveLength(names.length * 3 + 1)
      expect(lines.filter((line) => !/ EACCES$|^write EISDIR$/.test(line))).toEqual([])
    } finally {
      fs.chmodSync(stage.home.root, 0o700)
    }
  })

  it('finds every directory of the home closed, the sockets too', () => {
    const mode = (name: string) => (fs.statSync(path.join(stage.home.kugetsuDir, name)).mode & 0o777).toString(8)
    for (const name of ['', 'queue', 'opencode', 'env', 'sessions', 'logs', 'slots', 'worktrees', 'repos']) {
      expect([name, mode(name)]).toEqual([name, '700'])
    }
    for (const name of ['queue/daemon.sock', 'opencode/server.json', 'env/dev.env'])
      expect([name, mode(name)]).toEqual([name, '600'])
  })

  it('cannot put a socket of theirs where that of a home with a long path would be', async () => {
    const home = createServiceHome()
    vi.stubEnv('TMPDIR', home.userHome)
    try {
      const deep = { ...home, paths: pathsOf(path.join(home.paths.home, 'd'.repeat(120))) }
      const directory = path.dirname(socketPath(deep))
      const impostor = net.createServer((socket) => socket.resume().end('{"ok":true,"pid":1}\n'))
      fs.mkdirSync(directory)
      await new Promise<void>((resolve) => impostor.listen(socketPath(deep), resolve))
      const seen: string[] = []
      const takes = async (what: string) => {
        if ((await askDaemon(deep, { do: 'status' })) !== undefined) seen.push(`${what}: asked`)
        await listen(deep, () => ({ ok: true, pid: 2 })).then(
          ({ close }) => (seen.push(`${what}: listens`), close()),
          (error: unknown) =>
            expect(error).toMatchObject({ message: expect.stringContaining('is not a private directory of yours') }),
        )
      }
      try {
        fs.chmodSync(directory, 0o777)
        await takes('open to all')
        fs.chmodSync(directory, 0o700)
        fs.renameSync(directory, `${directory}.real`)
        fs.symlinkSync(`${directory}.real`, directory)
        await takes('a link')
        fs.unlinkSync(directory)
        fs.renameSync(`${directory}.real`, directory)
        if (asRoot) {
          fs.chownSync(directory, 65534, 65534)
          await takes('of another user')
          fs.chownSync(directory, 0, 0)
        }
        expect(seen).toEqual([])
        expect(await askDaemon(deep, { do: 'status' })).toEqual({ ok: true, pid: 1 }) // nobody else's: the answer counts
      } finally {
        await new Promise((resolve) => impostor.close(resolve))
      }
    } finally {
      vi.unstubAllEnvs()
      home.cleanup()
    }
  })
})
