/** Servers that are not, or not yet, an opencode 2 that kugetsu can work with. */
import * as fs from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runJson } from '../helpers/kugetsu.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { killAndWait, leftovers, serversOf } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

const found = opencode2Program()
const why = 'why' in found ? ` (${found.why})` : ''

describe.skipIf(why !== '')(`a server of opencode 2.0.15${why}`, () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await setStage({ init: false, program: path.resolve('test/fixtures/odd-opencode.cjs') })
    stage.home.env['REAL_OPENCODE'] = 'program' in found ? found.program : ''
  })
  afterAll(() => stage?.cleanup())

  it('that lacks an operation is refused by the name of it, and ended', async () => {
    const { code, stderr } = await stage.kugetsu(['init'], { env: { ODD: 'lacking' } })
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(
        'Error: opencode 2.0.15 is not supported: it has no POST /api/session/{sessionID}/interrupt\nHint: ',
      ),
    ])
    expect([serversOf(stage.home.root), stage.server()]).toEqual([[], undefined])
  })

  it('that answers 503 while it starts is waited for', async () => {
    stage.home.env['ODD'] = '503'
    await stage.ok(['init'])
    await stage.ok(['start', ref(1), 'BASH{{echo $KUGETSU_AGENT}} SAY{{well}}', '--wait'])
    expect(await stage.ok(['logs', ref(1)])).toMatch(/\n {2}dev\n[^]*well/)
  })

  it('that has died is asked nothing, though another program listens on its port now', async () => {
    stage.home.env['ODD'] = ''
    const heard: unknown[] = []
    const other = http.createServer((request, response) => {
      heard.push([request.url, request.headers])
      response.writeHead(200, { 'content-type': 'text/html' }).end('<title>opencode</title>')
    })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const dead = stage.server()
    await killAndWait(-(dead?.pid ?? 0))
    const { port } = other.address() as AddressInfo
    fs.writeFileSync(path.join(stage.home.kugetsuDir, 'opencode', 'server.json'), JSON.stringify({ ...dead, port }))
    await stage.ok(['continue', ref(1), 'SAY{{well again}}', '--wait'])
    expect(await stage.ok(['logs', ref(1)])).toContain('well again')
    expect(heard).toEqual([])
    other.close()
  })

  it('with a spoilt database is named with a way out, by which no issue is lost', async () => {
    const store = path.join(stage.home.kugetsuDir, 'opencode', 'opencode2.db')
    await killAndWait(-(stage.server()?.pid ?? 0))
    for (const end of ['-wal', '-shm']) fs.rmSync(store + end, { force: true })
    fs.writeFileSync(store, 'spoilt'.repeat(1_000))
    const wayOut = `Move ${store} away and run "kugetsu init --force": each issue then goes on in a new session.`
    const { code, stderr } = await stage.kugetsu(['continue', ref(1), 'SAY{{in vain}}'])
    expect([code, stderr]).toEqual([1, expect.stringContaining(`file is not a database)\nHint: ${wayOut}`)])
    const { json } = await runJson<{ checks: { name: string }[] }>(stage.home, ['doctor', '--json'])
    for (const name of ['database', 'logins']) {
      expect(json.checks.find((check) => check.name === name)).toMatchObject({
        detail: expect.stringContaining('cannot be read: file is not a database'),
        hint: wayOut,
      })
    }
    fs.renameSync(store, `${store}.spoilt`)
    await stage.ok(['init', '--force'])
    await stage.ok(['continue', ref(1), 'SAY{{anew}}', '--wait'])
    expect((await stage.model.turn('SAY{{anew}}')).asked).toContain('SAY{{well again}}')
  })

  it('leaves no process behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})
