import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { spawnKugetsu } from '../helpers/kugetsu.ts'
import { killAndWait, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ init: false, findsProviders: true, config: { MAX_CONCURRENT_AGENTS: 5 } })
})
afterAll(() => stage.cleanup())

/** The markers of the servers that live, each once: a server is more than one process. */
function servers(): string[] {
  const markers = leftovers(stage.home.root).flatMap(({ pid }) => {
    try {
      return /(?:^|\0)KUGETSU_SERVER=([^\0]*)/.exec(fs.readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1] ?? []
    } catch {
      return [] // it has ended
    }
  })
  return [...new Set(markers)]
}

const boots = () =>
  [
    ...fs
      .readFileSync(path.join(stage.home.kugetsuDir, 'logs', 'opencode-server.log'), 'utf8')
      .matchAll(/listening on/g),
  ].length

async function killServer(): Promise<void> {
  await killAndWait(stage.server()?.pid ?? 0)
}

describe('the server of a home', () => {
  it('is one, however many start it at once', async () => {
    const inits = await Promise.all([1, 2, 3].map(() => stage.kugetsu(['init'])))
    expect(inits.map(({ code }) => code).sort()).toEqual([0, 1, 1])
    expect(inits.filter(({ code }) => code === 1).every(({ stderr }) => stderr.includes('initialised already'))).toBe(
      true,
    )
    expect(servers()).toEqual([stage.server()?.marker])
    const first = stage.look().firstBoots
    expect(boots()).toBe(first)

    await killServer()
    await Promise.all([1, 2, 3].map((number) => stage.ok(['start', ref(number), `SAY{{${number}}}`])))
    expect(servers()).toEqual([stage.server()?.marker])
    expect(boots()).toBe(first + 1)
    await stage.ok(['wait', ref(1), ref(2), ref(3)])
  })

  it('answers nobody without its password', async () => {
    const url = `http://127.0.0.1:${stage.server()?.port}${stage.look().routes.sessions}`
    const status = async (authorization?: string) =>
      (await fetch(url, authorization === undefined ? {} : { headers: { authorization } })).status
    expect(await status()).toBe(401)
    expect(await status(`Basic ${Buffer.from('opencode:wrong').toString('base64')}`)).toBe(401)
    expect((await stage.opencode(stage.look().routes.sessions)).status).toBe(200)
  })

  it('keeps everything for its owner alone', () => {
    const root = stage.home.kugetsuDir
    const wrong: string[] = []
    /** What agents call as kugetsu. */
    const program = path.join(root, 'opencode', 'bin', 'kugetsu')
    const look = (file: string) => {
      const stat = fs.lstatSync(file)
      const mode = (stat.mode & 0o777).toString(8)
      if (mode !== (stat.isDirectory() || file === program ? '700' : '600'))
        wrong.push(`${mode} ${path.relative(root, file)}`)
      // What is inside these is git's and the agent's; their own mode keeps others out.
      if (!stat.isDirectory() || ['repos', 'worktrees'].includes(path.basename(file))) return
      for (const name of fs.readdirSync(file)) look(path.join(file, name))
    }
    look(root)
    expect(wrong).toEqual([])
  })

  it('is taken over from a starter that is killed while it boots', async () => {
    await killServer()
    const starter = spawnKugetsu(stage.home, ['start', ref(4), 'SAY{{killed}}'])
    const booting = await waitFor('a server that boots', () => {
      const server = stage.server()
      return server !== undefined && server.port === undefined && servers().includes(server.marker) && server
    })
    await starter.kill('SIGKILL')
    await stage.ok(['start', ref(4), 'SAY{{started after all}}', '--wait'])
    expect(servers()).toEqual([booting.marker])
    expect(stage.server()?.marker).toBe(booting.marker)
    expect(stage.slots()).toEqual([])
  })

  it('is replaced by one of another program, but not while an agent is at work in it', async () => {
    await stage.ok(['start', ref(5), 'GATE=busy SAY{{through}}'])
    await stage.model.turn('GATE=busy')
    const before = stage.server()?.marker
    const link = path.join(stage.home.bin, 'opencode')
    const real = fs.realpathSync(link)
    fs.rmSync(link)
    fs.writeFileSync(link, `#!/bin/sh\nexec '${real}' "$@"\n`, { mode: 0o755 })

    await stage.ok(['continue', ref(1), 'SAY{{beside it}}', '--wait'])
    expect(stage.server()?.marker).toBe(before)
    stage.model.release('busy')
    await stage.ok(['wait', ref(5)])

    await stage.ok(['continue', ref(1), 'SAY{{in the new one}}', '--wait'])
    expect(stage.server()?.marker).not.toBe(before)
    expect(servers()).toEqual([stage.server()?.marker])
  })

  it('is found to be dead by whoever needs it, whatever its file says', async () => {
    const before = stage.server()?.marker
    await killServer()
    expect(await stage.ok(['status'])).toMatch(/^server +not running/m)
    fs.writeFileSync(path.join(stage.home.kugetsuDir, 'opencode', 'server.json'), '{"pid": 1')
    const said = await stage.kugetsu(['continue', ref(1), 'SAY{{again}}', '--wait'])
    expect(said).toMatchObject({ code: 0, stderr: expect.stringContaining('server.json cannot be understood') })
    expect(stage.server()?.marker).not.toBe(before)
  })

  it('leaves no process behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})
