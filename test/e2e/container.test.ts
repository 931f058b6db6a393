/** kugetsu as the main process of a container: in a pid namespace of its own, as every container has one. Linux only. */
import { spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { kugetsuCommand, runJson } from '../helpers/kugetsu.ts'
import { killAndWait } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
const isolation = ['--pid', '--fork', '--kill-child', '--mount-proc', ...asRoot]
const hasNamespaces = spawnSync('unshare', [...isolation, 'true']).status === 0

interface Container {
  said: () => string
  /** Its main process, by the number that it has outside. */
  pid: () => number
  /** The exit code of its main process, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>
}

// Skipped where nobody may make a pid namespace.
describe.skipIf(!hasNamespaces)('the daemon as the main process of a container', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 1, KUGETSU_SERVER_IDLE_MINUTES: 0 } })
    await stage.ok(['queue-daemon', 'start'])
    await stage.ok(['queue-daemon', 'stop'])
    // What init has started is outside of any container.
    const server = stage.server()
    if (server !== undefined) await killAndWait(server.pid)
  })
  afterAll(() => stage.cleanup())

  function start(): Container {
    const child = spawn('unshare', [...isolation, ...kugetsuCommand, 'queue-daemon', 'run'], {
      cwd: stage.home.cwd,
      env: stage.home.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
    return {
      said: () => said,
      pid: () => Number(fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()),
      ended: new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'))),
    }
  }
  const enqueue = async (number: number, message: string) =>
    (await runJson<Item>(stage.home, ['queue', 'enqueue', ref(number), message, '--json'])).json.id
  const item = async (id: string) => (await runJson<Item>(stage.home, ['queue', 'show', id, '--json'])).json

  it('goes on where the container before was when it ended, and ends with 0 when told to', async () => {
    const id = await enqueue(1, 'GATE=one SAY{{one}}')
    const first = start()
    await stage.model.turn('GATE=one')
    await waitFor('the daemon to say so', () => first.said().includes('has an agent'))
    const { marker } = stage.server() ?? {}
    // As long as somebody knows it, no other gets its number: the next container is another one for sure.
    const namespace = fs.openSync(`/proc/${first.pid()}/ns/pid`, 'r')
    await killAndWait(first.pid())
    await first.ended

    const second = start()
    await waitFor('another server', () => stage.server()?.port !== undefined && stage.server()?.marker !== marker)
    stage.model.release('one')
    await waitFor('the end of the task', async () => (await item(id)).completed_at)
    expect(await item(id)).toMatchObject({ state: 'completed', attempts: [{ outcome: 'completed' }] })
    expect(stage.model.turns('Your work was interrupted')).not.toEqual([])
    await waitFor('its slot to be free', () => stage.slots().length === 0)

    process.kill(second.pid(), 'SIGTERM')
    expect(await second.ended).toBe(0)
    expect(second.said()).toContain('ended; running agents continue')
    fs.closeSync(namespace)
  })
})
