/**
 * What is opencode 1's own: how it stores a prompt, asks a model again that only promises, waits for the output of a command,
 * takes snapshots, and reads and writes files of a project. What all drivers do: driver.test.ts; its models:
 * model-providers.test.ts.
 */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSqlite } from '../../src/platform/sqlite.ts'
import type { Item } from '../../src/queue/item.ts'
import type { Run } from '../../src/sessions/file/session-file.ts'
import { createHome } from '../helpers/home.ts'
import { createJumpingClock, noJumpingClock } from '../helpers/jumping-clock.ts'
import { run, runJson, runOk } from '../helpers/kugetsu.ts'
import { opencode1Program } from '../helpers/opencode.ts'
import { daemonsOf, killAndWait, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

interface Explained {
  state: string
  sentences: string[]
  decisions: { decision: string; reason: string }[]
}

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ program: opencode1Program })
  await stage.ok(['queue-daemon', 'start'])
})
afterAll(() => stage.cleanup())

const oneLineAndHint = /^(?:(?:… |Warning: )[^\n]*\n)*Error: [^\n]+\nHint: [^\n]+\n$/
const at = (name: string) => path.join(stage.home.kugetsuDir, name)
const inWorktree = (number: number, ...args: string[]) =>
  execFileSync('git', args, { cwd: stage.worktree(number), env: stage.home.env, encoding: 'utf8' }).trim()
/** What is at a path: its file, or those in its directory. */
const made = (place: string) =>
  !fs.existsSync(place) ? [] : fs.statSync(place).isDirectory() ? fs.readdirSync(place) : [place]
const enqueue = async (issue: string, message: string) =>
  (await runJson<Item>(stage.home, ['queue', 'enqueue', issue, message, '--json'])).json.id
const ended = (id: string) =>
  waitFor(`the end of ${id}`, async () => {
    const { json: now } = await runJson<Item>(stage.home, ['queue', 'show', id, '--json'])
    return (now.state === 'completed' || now.state === 'error') && now
  })
const explained = async (number: number) => {
  const { json } = await runJson<Explained>(stage.home, ['explain', ref(number), '--json'])
  return { ...json, text: json.sentences.join(' ') }
}

describe('a prompt of which only the half was written when the server died', () => {
  it('counts as not sent: the task is given to the agent again, and done', async () => {
    const message = 'GATE=half BASH{{echo once >> done.txt}} SAY{{did it}}'
    const id = await enqueue(ref(1), message)
    await stage.model.turn('did it}}')
    await waitFor('the run on file', () => stage.file(1)?.['state'] === 'running')
    await killAndWait(daemonsOf(stage.home.root)[0]?.pid ?? 0)
    await killAndWait(-(stage.server()?.pid ?? 0))
    // opencode writes the message first, then its text.
    const database = openSqlite(stage.look().database, { timeoutMs: 10_000 })
    const [prompt] = (stage.file(1)?.['run'] as Run | null | undefined)?.message_ids ?? []
    expect(database.run('DELETE FROM part WHERE message_id = ?', prompt ?? '')).toBeGreaterThan(0)
    database.run(
      'DELETE FROM message WHERE id > ? AND session_id = ?',
      prompt ?? '',
      String(stage.file(1)?.['opencode_session_id']),
    )
    database.close()
    stage.model.release('half')
    await stage.ok(['queue-daemon', 'start'])
    const done = await ended(id)
    expect(done).toMatchObject({ state: 'completed', error: null })
    expect(done.attempts.map(({ outcome }) => outcome)).toEqual(['interrupted', 'completed'])
    expect(fs.readFileSync(path.join(stage.worktree(1), 'done.txt'), 'utf8')).toBe('once\n')
  })
})

describe('an agent whose model', () => {
  it('promises a call again and again is stopped with the reason', async () => {
    // A model that answers at once has taken some steps more before the daemon can have stopped it.
    const promises = 'SLEEP=0.5 SAY{{now I will}} FINISH=tool_calls'
    await stage.ok(['start', ref(2), promises])
    const { code, stdout } = await stage.kugetsu(['wait', ref(2)])
    expect([code, stdout.trim()]).toEqual([
      1,
      `error  ${ref(2)}: aborted: 5 steps in a row had no call of a tool and no end (finish reason tool-calls)`,
    ])
    expect(stage.model.turns(promises).length).toBeLessThan(10)
    expect(stage.slots()).toEqual([])
  })
})

it.skipIf(noJumpingClock())('says what keeps a command waiting, which is ended once its time is over', async () => {
  const call = { command: 'setsid sleep 1020 & echo begun', timeout: 1000, description: 'x' }
  await stage.ok(['start', ref(3), `TOOL{{bash ${JSON.stringify(call)}}} SAY{{through}}`])
  const holds = /sleep 1020 \(pid \d+\) holds the output of a command/
  await waitFor('the holder', async () => holds.test((await explained(3)).text))
  await stage.ok(['queue-daemon', 'stop'])
  const clock = createJumpingClock()
  try {
    clock.set(3600) // the next daemon finds a call that began an hour ago
    await stage.ok(['wait', ref(3)], { env: { ...stage.home.env, ...clock.env } })
  } finally {
    clock.remove()
  }
  const { state, decisions } = await explained(3)
  expect(state).toBe('done')
  const unblocked = decisions.filter(({ decision }) => decision === 'unblocked')
  expect(unblocked.map(({ reason }) => reason)).toEqual([
    expect.stringMatching(/^sleep 1020 \(pid \d+\) held the output of a command that had timed out: ended$/),
  ])
  const read = stage.model
    .turns('sleep 1020')
    .at(-1)
    ?.messages.map(({ text }) => text)
  expect(read?.join('\n')).toContain('exceeding timeout 1000 ms')
  await stage.ok(['queue-daemon', 'stop'])
})

it("opencode takes no snapshots of an agent's worktree, unless its configuration says that it shall", async () => {
  const snapshots = path.join(stage.home.opencodeData, 'snapshot')
  const taken = () =>
    fs.existsSync(snapshots)
      ? fs.readdirSync(snapshots, { recursive: true }).filter((name) => `${name}`.endsWith('HEAD'))
      : []
  expect(taken()).toEqual([])
  const wish = JSON.stringify({ $schema: 'https://opencode.ai/config.json', snapshot: true })
  stage.git.commit('me/app', 'main', { 'opencode.json': wish })
  await stage.ok(['start', ref(4), 'SAY{{seen}}', '--wait'])
  expect(taken()).toHaveLength(1)
  stage.git.commit('me/app', 'main', {
    'opencode.json': JSON.stringify({ $schema: 'https://opencode.ai/config.json' }),
  })
  const isKeptByProject = /^1\.(?:\d|1[0-3])\./.test(stage.server()?.version ?? '')
  await stage.ok(['destroy', ref(4), '-y'])
  // Before 1.14 those of a whole repository are one, which other issues may need.
  expect(taken()).toHaveLength(isKeptByProject ? 1 : 0)
})

describe('a worktree', () => {
  const head = (number: number) => inWorktree(number, 'rev-parse', 'HEAD')
  const begin = (number: number) => stage.ok(['start', ref(number), `SAY{{did ${number}}}`, '--wait'])
  const request = (text: string) => JSON.stringify(stage.model.turns(text)[0])

  it('begins at the newest commit, with what opencode is told there', async () => {
    const config = '{"$schema":"https://opencode.ai/config.json","instructions":["rules.md"]}'
    const newest = stage.git.commit('me/app', 'main', { 'opencode.json': config, 'rules.md': 'RULES OF TODAY' })
    await begin(11)
    expect(head(11)).toBe(newest)
    expect(request('did 11')).toContain('RULES OF TODAY')
  })

  it('does so where opencode changes files by reading them', async () => {
    stage.git.commit('me/app', 'main', { 'opencode.json': '{"instructions":["rules.md"]}', '.opencode/a.md': 'a' })
    await begin(12) // the mirror has it from here on
    const newest = stage.git.commit('me/app', 'main', {
      'opencode.json': '{"instructions":["r2.md"]}',
      'r2.md': 'RULES 2',
    })
    await begin(13)
    expect(head(13)).toBe(newest)
    expect(request('did 13')).toContain('RULES 2')
    expect(inWorktree(13, 'diff', '--unified=0')).not.toContain('rules.md')
  })
})

describe('a configuration of opencode that is not JSON', () => {
  it('in a repository is refused, and nothing is left of the start', async () => {
    stage.git.createRepository('me/no-json', { 'opencode.json': '{ not json' })
    const { code, stdout, stderr } = await stage.kugetsu(['start', 'forge.test/me/no-json#1', 'x'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(oneLineAndHint)
    expect(stderr).toMatch(/opencode\.json: it is not JSON/)
    for (const directory of ['worktrees', 'sessions'])
      expect(fs.readdirSync(at(directory)).filter((name) => name.includes('no-json'))).toEqual([])
    expect(stage.slots()).toEqual([])
  })

  it('ends its task as an error at once, alone: the daemon and the others go on', async () => {
    await stage.ok(['queue-daemon', 'start'])
    const [daemon] = daemonsOf(stage.home.root)
    const [bad, healthy] = [await enqueue('forge.test/me/no-json#1', 'x'), await enqueue(ref(14), 'SAY{{well}}')]
    const failed = await ended(bad)
    expect([failed.state, (await ended(healthy)).state]).toEqual(['error', 'completed'])
    expect(failed.error).toMatch(/opencode\.json: it is not JSON/)
    expect(failed.attempts).toHaveLength(1)
    expect(daemonsOf(stage.home.root)).toEqual([daemon])
  })

  it("as the user's own is refused, and nothing is made", async () => {
    const home = createHome({ program: opencode1Program })
    try {
      const good = fs.readFileSync(home.opencodeConfig, 'utf8')
      fs.writeFileSync(home.opencodeConfig, '{"provider": [')
      const { code, stdout, stderr } = await run(home, ['init'])
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(oneLineAndHint)
      expect(stderr).toMatch(/opencode\.json is not valid JSON/)
      for (const name of ['sessions', 'worktrees', 'slots', 'repos', 'index.json'])
        expect(made(path.join(home.kugetsuDir, name)), name).toEqual([])
      fs.writeFileSync(home.opencodeConfig, good)
      await runOk(home, ['init'])
      expect((await run(home, ['status'])).stdout).toMatch(/^ok\n/)
    } finally {
      await home.cleanup()
    }
  })
})

it('leaves nothing behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
