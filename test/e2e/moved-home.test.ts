/** A home that is used with opencode 1, with opencode 2, and with opencode 1 again: the program changes, nothing is lost. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runJson } from '../helpers/kugetsu.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { opencode1Program } from '../helpers/opencode.ts'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const found = opencode2Program()
const why = 'why' in found ? ` (${found.why})` : ''

describe.skipIf(why !== '')(`a home whose opencode is replaced by opencode 2${why}`, () => {
  let stage: Stage
  let older: string
  beforeAll(async () => {
    stage = await setStage({ program: opencode1Program })
    older = fs.readlinkSync(path.join(stage.home.bin, 'opencode'))
  })
  afterAll(() => stage.cleanup())

  /** Replaces the program on the PATH. */
  const use = (program: string) => {
    const link = path.join(stage.home.bin, 'opencode')
    fs.rmSync(link)
    fs.symlinkSync(program, link)
  }
  const newer = () => ('program' in found ? found.program : '')
  const stateOf = (name: string) =>
    JSON.parse(fs.readFileSync(path.join(stage.home.kugetsuDir, name), 'utf8')) as Record<string, unknown>

  it('goes on with its issue in a new session, in the same worktree, and is told what was said before', async () => {
    await stage.ok(['start', ref(1), 'Begin. BASH{{echo one > one.txt}} SAY{{It is begun.}}', '--wait'])
    const before = stage.file(1)
    expect(before?.['driver']).toBeUndefined()

    use(newer())
    await stage.ok(['continue', ref(1), 'Go on. BASH{{ls}} SAY{{It is done.}}', '--wait'])
    const after = stage.file(1)
    expect(after).toMatchObject({
      driver: 'opencode2',
      former_sessions: { opencode: before?.['opencode_session_id'] },
      worktree_path: before?.['worktree_path'],
      state: 'idle',
    })
    expect(stateOf('index.json')).toMatchObject({ driver: 'opencode2' })
    expect(stage.server()?.version).toMatch(/^2\./)
    const { asked } = await stage.model.turn('Go on.')
    expect(asked).toContain('It is begun.')
    expect(await stage.ok(['logs', ref(1)])).toMatch(/one\.txt[^]*It is done\./)
    expect(fs.existsSync(path.join(stage.home.opencodeData, 'opencode.db'))).toBe(true)
    const own = path.join(stage.home.kugetsuDir, 'opencode', 'opencode2.db')
    for (const file of [own, `${own}-wal`]) expect(fs.statSync(file).mode & 0o777).toBe(0o600)
  })

  it('does its daily work there', async () => {
    await stage.ok(['start', ref(2), 'GATE=two SAY{{Answered.}}'])
    await stage.model.turn('Answered.')
    await stage.ok(['continue', ref(2), 'And this. SAY{{That too.}}'])
    stage.model.release('two')
    await stage.ok(['wait', ref(2)])
    expect(await stage.ok(['logs', ref(2)])).toContain('That too.')

    await stage.ok(['start', ref(3), 'BASH{{sleep 1012}}'])
    await waitFor('the command', () => leftovers(stage.home.root).some(({ command }) => command === 'sleep 1012'))
    await stage.ok(['stop', ref(3)])
    expect((await stage.session(3)).state).toBe('idle')
    await waitFor('its end', () => !leftovers(stage.home.root).some(({ command }) => command === 'sleep 1012'))
    await stage.ok(['destroy', ref(3), '-y'])

    await stage.ok(['queue-daemon', 'start'])
    await stage.ok(['delegate', 'SAY{{Broken down.}}', '--wait'])
    expect(stateOf('sessions/pm-agent.json')).toMatchObject({ driver: 'opencode2', state: 'idle' })
    await stage.ok(['queue-daemon', 'stop'])
  })

  it("is left alone by the user's own opencode 2, whose service takes over what it finds at work", async () => {
    await stage.ok(['start', ref(4), 'GATE=four BASH{{echo four >> four.txt}} SAY{{Ended.}}'])
    await stage.model.turn('GATE=four')
    const user = (...args: string[]) =>
      execFileSync(newer(), args, { env: stage.home.env, encoding: 'utf8', cwd: stage.home.root })
    user('service', 'start')
    try {
      expect(user('api', 'get', '/api/session/active')).toContain('{}')
      const { opencode_session_id: id } = await stage.session(4)
      expect(user('api', 'get', '/api/session')).not.toContain(id)
      stage.model.release('four')
      await stage.ok(['wait', ref(4)])
    } finally {
      user('service', 'stop')
    }
    expect(fs.readFileSync(path.join(stage.worktree(4), 'four.txt'), 'utf8')).toBe('four\n')
    expect(await stage.ok(['logs', ref(4)])).toContain('Ended.')
    await stage.ok(['destroy', ref(4), '-y', '--force'])
  })

  it('is sound in the eyes of doctor, and prune finds nothing to remove', async () => {
    const { json } = await runJson<{ checks: { name: string; status: string; detail: string }[] }>(stage.home, [
      'doctor',
      '--json',
    ])
    expect(json.checks.filter(({ status }) => status === 'fail')).toEqual([])
    expect(await stage.ok(['prune'])).toBe('Nothing is left over\n')
  })

  it('works with opencode 1 again', async () => {
    use(older)
    const newest = path.join(stage.home.kugetsuDir, 'opencode', 'opencode2.db')
    const refused = await stage.kugetsu(['continue', ref(1), 'x'], { env: { OPENCODE_DB: newest } })
    expect(refused.stderr).toMatch(/^(… .*\n)*Error: opencode serve did not start.*\nHint: opencode 2 has made/)
    await stage.ok(['continue', ref(1), 'Once more. SAY{{Back again.}}', '--wait'])
    const back = stage.file(1)
    expect(back?.['driver'] ?? undefined).toBeUndefined()
    expect(Object.keys(back?.['former_sessions'] ?? {}).toSorted()).toEqual(['opencode', 'opencode2'])
    expect(stage.server()?.version).toMatch(/^1\./)
    const { asked } = await stage.model.turn('Once more.')
    expect(asked).toContain('It is done.')
    for (const number of [1, 2]) await stage.ok(['destroy', ref(number), '-y', '--force'])
  })

  it('leaves no process behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})
