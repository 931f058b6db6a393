import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeServer } from '../../../src/server/server-file.ts'
import { commandLineOf, processTable } from '../../../src/platform/process-table.ts'
import { identify, kill } from '../../../src/platform/processes.ts'
import { endOutputHolders, outputHolders } from '../../../src/sessions/runs/held-output.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'
import { waitFor } from '../../helpers/wait-for.ts'

const issueRef = 'forge.test/me/app#1'

let home: ServiceHome
let server: ChildProcess | undefined
beforeEach(() => {
  home = createServiceHome()
  fs.mkdirSync(path.dirname(home.paths.server))
})
afterEach(async () => {
  const own = processTable().filter(({ variables }) => variables?.get('KUGETSU_DIR') === home.paths.home)
  for (const { pid } of own) kill(pid)
  if (server !== undefined && server.exitCode === null && server.signalCode === null) await once(server, 'exit')
  server = undefined
  home.cleanup()
})

const pidOf = (command: string) =>
  waitFor(command, () => {
    const found = processTable().find(
      ({ pid, variables }) => commandLineOf(pid) === command && variables?.get('KUGETSU_DIR') === home.paths.home,
    )
    return found?.pid
  })

/** A server that runs these commands as opencode does, each a call of an agent, by its id; or that program of one's own. */
function serve(calls: Record<string, string>, program?: readonly string[]): void {
  const script = `
    for (const [id, command] of Object.entries(${JSON.stringify(calls)})) {
      const env = { ...process.env, KUGETSU_AGENT: 'dev', KUGETSU_ISSUE_REF: ${JSON.stringify(issueRef)}, KUGETSU_CALL: id }
      require('node:child_process').spawn('bash', ['-c', command], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    }
    setInterval(() => {}, 1000)`
  const [file = '', ...args] = program ?? [process.execPath, '-e', script]
  const env = { PATH: process.env['PATH'] ?? '', KUGETSU_DIR: home.paths.home, KUGETSU_SERVER: 'the-marker' }
  server = spawn(file, args, { env, stdio: 'ignore' })
  const identity = identify(server.pid ?? 0)
  if (identity === undefined) throw new Error('the server did not start')
  const about = { password: 'x', version: '1.18.33', program: 'p', marker: 'the-marker', started_at: '' }
  writeServer(home, { ...identity, ...about, port: 1 })
}

describe.runIf(process.platform === 'linux')('what holds the output of a command that is over', () => {
  it('is what left its process group without redirecting both of its outputs, and is ended and named', async () => {
    serve({
      one: 'setsid sleep 701 & setsid sleep 702 > /dev/null & setsid sleep 703 > /dev/null 2>&1 &',
      other: 'setsid sleep 704 &',
      working: 'setsid sleep 705 & sleep 706; :',
    })
    const pids = await Promise.all([701, 702, 703, 704, 705, 706].map((seconds) => pidOf(`sleep ${seconds}`)))
    const [silent = 0, half = 0, redirected = 0, other = 0] = pids
    await waitFor('both to be held', () => outputHolders(home, issueRef).length === 3)
    expect(outputHolders(home, issueRef).sort()).toEqual([silent, half, other].sort())
    expect(outputHolders(home, 'forge.test/me/app#2')).toEqual([])
    expect(outputHolders(home, issueRef, 'working')).toEqual([])

    const ended = await endOutputHolders(home, issueRef, 'one')
    expect(ended.sort()).toEqual([`sleep 701 (pid ${silent})`, `sleep 702 (pid ${half})`])
    expect([silent, half].map(commandLineOf)).toEqual(['', ''])
    expect(outputHolders(home, issueRef)).toEqual([other])
    expect(commandLineOf(redirected)).toBe('sleep 703')
  })

  it('is found by the pipe as well, and where the call is not told', async () => {
    const marks = `KUGETSU_AGENT=dev KUGETSU_ISSUE_REF=${issueRef}`
    serve({}, ['bash', '-c', `exec 7< <(env ${marks} bash -c 'setsid sleep 707 &'); while :; do sleep 708; done`])
    const holder = await pidOf('sleep 707')
    await waitFor('the end of the shell', () => outputHolders(home, issueRef, 'any').length === 1)
    expect(outputHolders(home, issueRef, 'any')).toEqual([holder])
  })
})
