import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { resumeMessage } from '../../src/agents/dev-agent.ts'
import type { Item } from '../../src/queue/item.ts'
import type { Run } from '../../src/sessions/file/session-file.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { daemonsOf, groupOf, killQuietly, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

/** Set KUGETSU_TEST_SEED to have the same kills again, as far as the moments depend on us. */
const seed = Number(process.env['KUGETSU_TEST_SEED'] ?? Date.now() % 1_000_000)
const limit = 3
const kills = 9
const diedTooOften = 'the opencode server died 3 times under this task'

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: limit } })
})
afterAll(() => stage.cleanup())

const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)

/** A full queue: several tasks on some issues, one on the others. */
const tasks = [1, 2, 3, 1, 4, 2, 5, 6, 3].map((issue, index) => ({ issue, word: `task-${index}` }))

/**
 * What a careful agent does: each step looks whether it is done already, and leaves a line outside of the worktree
 * each time that it runs. The second step is the work: a commit is there as a whole or not at all.
 */
const script = (word: string) => {
  const ran = (step: string) => `echo ${step} >> "${path.join(stage.home.root, `${word}.ran`)}"`
  const commit = `echo ${word} > ${word}.txt && git add ${word}.txt && git commit -q -m "Do ${word}"`
  return [
    'RESUMES! SLEEP=0.2',
    `BASH{{${ran('look')}; sleep 0.3; echo looked}}`,
    `BASH{{${ran('work')}; sleep 0.2; git log --format=%s | grep -qx "Do ${word}" || { ${commit}; }}}`,
    `SAY{{did ${word}}}`,
  ].join(' ')
}

describe('a full queue while the daemon and the server are killed again and again', () => {
  it('is worked off, each task once, and nothing is left over', async () => {
    onTestFailed(() => {
      const log = fs.readFileSync(at('queue', 'daemon.log'), 'utf8')
      console.error(`KUGETSU_TEST_SEED=${seed}; killed:\n${killed.join('\n')}\nThe daemon's log:\n${log}`)
    })
    const killed: string[] = []
    const random = createRandom(seed)
    const ids: string[] = []
    const enqueue = async (task: (typeof tasks)[number]) => {
      const args = ['queue', 'enqueue', ref(task.issue), script(task.word), '--json']
      ids.push((await runJson<Item>(stage.home, args)).json.id)
    }
    for (const task of tasks.slice(0, 6)) await enqueue(task)
    const later = tasks.slice(6)
    await stage.ok(['queue-daemon', 'start'])

    while (killed.length < kills && (later.length > 0 || !isWorkedOff())) {
      await sleep(100 + random() * 1900)
      const dice = killed.length === 0 ? 1 : random()
      const what = dice < 0.4 ? ['daemon'] : dice < 0.7 ? ['server'] : ['daemon', 'server']
      const done = what.filter((each) => (each === 'daemon' ? killDaemon() : killServer()))
      for (const each of done) killed.push(`${new Date().toISOString()} ${each}`)
      // Any command that needs a daemon starts one; so does a task that is put into the queue.
      const task = later.shift()
      if (task === undefined) await stage.ok(['queue-daemon', 'start'])
      else await enqueue(task)
    }
    for (const task of later) await enqueue(task)
    await stage.ok(['queue-daemon', 'start'])
    expect(killed.length).toBeGreaterThan(1)
    await waitFor('the end of the tasks', isWorkedOff, { timeoutMs: 150_000 })

    const items = readItems()
    expect(items.map(({ id }) => id)).toEqual(ids)
    const told = stage.look().told()
    for (const [index, item] of items.entries()) {
      const { issue, word } = tasks[index]!
      const about = `${word}: ${JSON.stringify(item, null, 1)}`
      const commits = subjects(issue).filter((subject) => subject === `Do ${word}`).length
      // By design, what takes the server with it again and again does not go on for ever, and may have come to nothing.
      const isCutShort = item.error?.includes('tries to start it was cut short') === true
      const gaveUp = item.state === 'error' && (item.error === diedTooOften || isCutShort)
      expect(gaveUp || (item.state === 'completed' && item.error === null), about).toBe(true)
      expect(gaveUp ? [0, 1] : [1], about).toContain(commits)
      // A server killed while it boots is the one failure there may be; all else is an interruption.
      const failures = item.attempts.filter(({ outcome }) => outcome === 'failed').map(({ reason }) => reason)
      expect(
        failures.filter((reason) => reason?.includes('opencode serve did not start') !== true),
        about,
      ).toEqual([])
      // Told once: one message in one session, whatever became of daemon and server.
      const times = told.filter(({ text }) => text.includes(`did ${word}}}`)).length
      expect(isCutShort ? [0, 1] : [1], about).toContain(times)
      // Each step runs again only when it was cut off.
      const resumed = told.filter(({ session, text }) => session === item.opencode_session_id && text === resumeMessage)
      for (const step of ['look', 'work']) {
        expect(ran(word, step), `${about} ${step}`).toBeLessThanOrEqual(1 + resumed.length)
      }
    }
    expect(stage.model.peakConversations()).toBeLessThanOrEqual(limit)
    await waitFor('the last slots', () => stage.slots().length === 0)
    // What killed writers were at may lie there for a minute yet, under names with a dot.
    expect(fs.readdirSync(at('queue', 'ended')).filter((name) => !name.startsWith('.'))).toEqual([])
    expect(fs.readdirSync(at('queue', 'items')).filter((name) => name.includes('unreadable'))).toEqual([])
    await stage.ok(['queue-daemon', 'stop'])
    const rest = leftovers(stage.home.root)
    // Of an older opencode it is two processes: what npm puts on the PATH, and the program itself.
    expect(rest.filter(({ pid }) => groupOf(pid) !== stage.server()?.pid)).toEqual([])
    expect(rest.map(({ pid }) => pid)).toContain(stage.server()?.pid)
  })
})

describe('an agent that takes the server with it', () => {
  it('is told so after three times, and ends nobody who is at work beside it', async () => {
    const { home, model } = stage
    await stage.ok(['start', ref(31), 'RESUMES! GATE=beside SAY{{beside is done}}'])
    await model.turn('beside is done')
    await stage.ok(['start', ref(32), 'RESUMES! LOOP! BASH{{kill -9 $PPID}}'])
    // After two deaths the one that began first goes on alone.
    await waitFor('a turn of its own', async () =>
      (await stage.ok(['explain', ref(32)]))
        .replace(/\s+/g, ' ')
        .includes('resumed when no other such agent is at work'),
    )
    model.release('beside')
    await stage.ok(['wait', ref(31)])
    expect(await stage.session(31)).toMatchObject({ state: 'idle' })
    const waited = await stage.kugetsu(['wait', ref(32)])
    expect([waited.code, waited.stdout]).toEqual([1, expect.stringContaining(`error  ${ref(32)}: ${diedTooOften}`)])
    expect(await stage.ok(['logs', ref(31)])).toContain('beside is done')
    expect(stage.slots()).toEqual([])
    for (const number of [31, 32]) await stage.ok(['destroy', ref(number), '--force', '-y'])
    expect(leftovers(home.root).filter(({ command }) => command.includes('kill -9'))).toEqual([])
  })
})

describe('pipes in the place of files', () => {
  // More than opencode has threads to wait in.
  const agents = [20, 21, 22, 23, 24]
  const other = async () => {
    await stage.ok(['start', ref(30), 'SAY{{beside them}}', '--wait', '--timeout', '60'])
    await stage.ok(['destroy', ref(30), '-y'])
  }
  beforeAll(() => stage.configure({ MAX_CONCURRENT_AGENTS: 6 }))

  it('that opencode reads by itself hold up neither the agent that made them nor others', async () => {
    const pipes = 'AGENTS.md opencode.json sub/AGENTS.md .opencode/agent/x.md'
    const make = `rm -f AGENTS.md; mkdir -p sub .opencode/agent; mkfifo ${pipes}; echo 1 > sub/x.txt`
    for (const number of agents) {
      const read = `TOOL{{read {"filePath": "${path.join(stage.worktree(number), 'sub', 'x.txt')}"}}}`
      await stage.ok(['start', ref(number), `BASH{{${make}}} ${read} SAY{{piped ${number}}}`])
    }
    await stage.ok(['wait', ...agents.map(ref), '--timeout', '60'])
    expect(await stage.ok(['logs', ref(24)])).toContain('piped 24')
    await other()
  })

  it('that a tool is to open are refused to it', async () => {
    for (const number of agents) {
      const file = path.join(stage.worktree(number), 'AGENTS.md')
      await stage.ok(['continue', ref(number), `TOOL{{read {"filePath": "${file}"}}} SAY{{asked ${number}}}`])
    }
    await stage.ok(['wait', ...agents.map(ref), '--timeout', '60'])
    expect(await stage.ok(['logs', ref(20)])).toContain('is a pipe or a device, and opening it could wait for ever')
    await other()
  })

  it('hold up no server that begins there either, nor a destroy', async () => {
    killQuietly(-(stage.server()?.pid ?? NaN))
    await stage.ok(['continue', ref(20), 'SAY{{again}}', '--wait', '--timeout', '60'])
    await other()
    for (const number of agents) await stage.ok(['destroy', ref(number), '-y', '--force'])
    expect(agents.map((number) => stage.file(number))).toEqual(agents.map(() => undefined))
  })
})

describe('a device in the place of a file that opencode reads by itself', () => {
  it('is refused where the repository has it, and gets another name where an agent made it', async () => {
    const server = stage.server()?.pid
    const work = path.join(stage.home.root, 'work')
    execFileSync('git', ['clone', '-q', `${stage.git.url}/me/app.git`, work], { env: stage.home.env })
    fs.symlinkSync('/dev/zero', path.join(work, 'AGENTS.md'))
    const git = (...args: string[]) => execFileSync('git', args, { cwd: work, env: stage.home.env })
    git('add', '--all')
    git('commit', '-qm', 'Read a device')
    git('push', '-q', 'origin', 'HEAD:refs/heads/with-a-device')
    const refused = await stage.kugetsu(['start', ref(40), 'x', '--base', 'with-a-device'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/Error: opencode cannot read \S*AGENTS\.md: it is a device\nHint: /)
    expect(stage.file(40)).toBeUndefined()

    const made = 'BASH{{ln -sfn /dev/zero AGENTS.md}} BASH{{ls -l}} SAY{{went on}}'
    await stage.ok(['start', ref(41), made, '--wait', '--timeout', '60'])
    expect(await stage.ok(['logs', ref(41)])).toMatch(/AGENTS\.md\.device -> \/dev\/zero/)
    expect(stage.server()?.pid).toBe(server)
    await stage.ok(['destroy', ref(41), '-y', '--force'])
  })
})

describe("opencode's database that another program has locked", () => {
  it('interrupts an agent, which is told to go on', async () => {
    await stage.ok(['start', ref(33), 'RESUMES! GATE=locked BASH{{echo one >> steps}} SAY{{went on}}'])
    await stage.model.turn('GATE=locked')
    const other = new Database(stage.look().database)
    other.exec('BEGIN IMMEDIATE')
    stage.model.release('locked')
    // opencode itself waits for 5 s. While the file is locked the daemon may not be able to note that it has given up.
    const troubles = () => (stage.file(33)?.['run'] as Run | undefined)?.troubles
    await waitFor('opencode to give up', () => troubles() === 1, { timeoutMs: 25_000 }).catch(() => {})
    other.exec('ROLLBACK')
    other.close()
    await stage.ok(['wait', ref(33)])
    expect(await stage.session(33)).toMatchObject({ state: 'idle' })
    expect(await stage.ok(['logs', ref(33)])).toContain('went on')
    expect((await stage.ok(['explain', ref(33)])).replace(/\s+/g, ' ')).toContain(
      `opencode had failed: ${stage.look().lockedWords}`,
    )
    await stage.ok(['destroy', ref(33), '--force', '-y'])
  })

  it('leaves no process behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})

/** Kills the daemon of the moment; false when there is none. */
function killDaemon(): boolean {
  const [daemon] = daemonsOf(stage.home.root)
  if (daemon !== undefined) killQuietly(daemon.pid)
  return daemon !== undefined
}

/** Kills the server with its process group, booting or not; false when there is none, or it would end a task for good. */
function killServer(): boolean {
  const pid = stage.server()?.pid
  if (pid === undefined || !leftovers(stage.home.root).some((each) => each.pid === pid)) return false
  if (runs().some(({ interruptions }) => interruptions > 1)) return false
  killQuietly(-pid)
  return true
}

function runs(): Run[] {
  return tasks.flatMap(({ issue }) => (stage.file(issue)?.['run'] as Run | null | undefined) ?? [])
}

/** The items as they lie there: no kugetsu is asked. */
function readItems(): Item[] {
  const names = fs.readdirSync(at('queue', 'items')).filter((name) => /^q_\d+\.json$/.test(name))
  return names.sort().map((name) => JSON.parse(fs.readFileSync(at('queue', 'items', name), 'utf8')) as Item)
}

function isWorkedOff(): boolean {
  return readItems().every(({ state }) => state === 'completed' || state === 'error')
}

function subjects(issue: number): string[] {
  const args = ['log', '--format=%s', `fix/issue-${issue}`, '--']
  return execFileSync('git', args, { cwd: stage.worktree(issue), env: stage.home.env, encoding: 'utf8' })
    .trim()
    .split('\n')
}

function ran(word: string, step: string): number {
  const file = path.join(stage.home.root, `${word}.ran`)
  return fs.existsSync(file)
    ? fs
        .readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line === step).length
    : 0
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function createRandom(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
