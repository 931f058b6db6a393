import { once } from 'node:events'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { pathsOf } from '../../src/config/paths.ts'
import { askDaemon, listen, socketPath, type Request } from '../../src/daemon/socket.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
let close: (() => Promise<void>) | undefined
beforeEach(() => {
  home = createServiceHome()
})
afterEach(async () => {
  await close?.()
  close = undefined
  vi.unstubAllEnvs()
  home.cleanup()
})

/** Listens, and keeps what was asked. */
async function daemon(at = home): Promise<Request[]> {
  const asked: Request[] = []
  const socket = await listen(at, (request) => {
    asked.push(request)
    return { ok: true, pid: 42 }
  })
  close = socket.close
  return asked
}

/** Sends raw bytes; what came back until the other side closed. */
async function send(bytes: string): Promise<string> {
  const socket = net.connect(socketPath(home))
  let said = ''
  socket.on('data', (chunk) => (said += chunk.toString()))
  socket.on('error', () => {})
  socket.write(bytes)
  await once(socket, 'close')
  return said
}

describe('the daemon’s socket', () => {
  it('hands over a request and brings back the answer', async () => {
    const asked = await daemon()
    expect(await askDaemon(home, { do: 'wake' })).toEqual({ ok: true, pid: 42 })
    expect(await askDaemon(home, { do: 'status' })).toEqual({ ok: true, pid: 42 })
    expect(asked).toEqual([{ do: 'wake' }, { do: 'status' }])
  })

  it('answers nobody when no daemon is there, nor when only its dead socket is', async () => {
    expect(await askDaemon(home, { do: 'status' })).toBeUndefined()
    await daemon()
    const dead = `${socketPath(home)}.dead`
    fs.linkSync(socketPath(home), dead)
    await close?.()
    close = undefined
    fs.renameSync(dead, socketPath(home))
    expect(await askDaemon(home, { do: 'status' })).toBeUndefined()
    await daemon()
    expect(await askDaemon(home, { do: 'status' })).toEqual({ ok: true, pid: 42 })
  })

  it('hangs up on what is no request, and on what does not end', async () => {
    const asked = await daemon()
    expect(await send('GET / HTTP/1.1\r\n\r\n')).toBe('')
    expect(await send('x'.repeat(20_000))).toBe('')
    expect(asked).toEqual([])
    expect(await askDaemon(home, { do: 'status' })).toEqual({ ok: true, pid: 42 })
  })

  it('is for its owner alone', async () => {
    await daemon()
    const file = socketPath(home)
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    expect(fs.statSync(path.dirname(file)).mode & 0o777).toBe(0o700)
  })

  it('lies in the home, or elsewhere where the path of the home is too long for a socket', async () => {
    vi.stubEnv('TMPDIR', home.userHome)
    expect(socketPath(home)).toBe(home.paths.daemonSocket)
    const deep = { ...home, paths: pathsOf(path.join(home.paths.home, 'd'.repeat(120))) }
    const file = socketPath(deep)
    expect(Buffer.byteLength(file)).toBeLessThan(104)
    expect(file).not.toBe(socketPath({ ...home, paths: pathsOf(path.join(home.paths.home, 'e'.repeat(120))) }))
    await daemon(deep)
    expect(await askDaemon(deep, { do: 'status' })).toEqual({ ok: true, pid: 42 })
    expect(await askDaemon(home, { do: 'status' })).toBeUndefined()
  })
})
