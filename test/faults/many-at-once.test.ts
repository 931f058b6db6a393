/**
 * A hundred commands at once, against one home: real processes, real opencode, real git. What may never be more than so
 * many is counted by the model and in the process table, not by what kugetsu writes.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { identify } from '../../src/platform/processes.ts'
import type { Notification } from '../../src/activity/notification.ts'
import type { SessionView } from '../../src/sessions/status/session-view.ts'
import { spawnKugetsu, runJson, type Finished, type RunOptions } from '../helpers/kugetsu.ts'
import { daemonsOf, killAndWait } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { watchProcesses } from '../helpers/watch.ts'
import { factor } from './bounds.ts'

const limit = 3
const generous = { timeoutMs: 230_000 }
/** What any command says that did not go well; a defect says more, and shows where. */
const oneError = /^(?:Warning: .*\n)*Error: .+\n(?:Hint: .+\n)?$/

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: limit } })
  for (const name of repositories.slice(1)) stage.git.createRepository(name)
})
afterAll(() => stage.cleanup())

const repositories = ['me/app', 'me/b', 'me/c', 'you/app']
const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
const names = (directory: string) => (fs.existsSync(at(directory)) ? fs.readdirSync(at(directory)) : [])
const count = <T>(number: number, make: (index: number) => T) =>
  Array.from({ length: number }, (_, index) => make(index))
const items = async () => (await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])).json
const sessions = async () =>
  (await runJson<SessionView[]>(stage.home, ['list', '--json'])).json.filter(({ issue_ref }) => issue_ref !== null)

/** All at once; each must end by itself. */
function together(all: string[][], options: (index: number) => RunOptions = () => ({})): Promise<Finished[]> {
  return Promise.all(all.map((args, index) => stage.kugetsu(args, { ...generous, ...options(index) })))
}

/** State files that are torn, set aside, or temporary and forgotten. */
function unreadable(): string[] {
  return ['', 'sessions', 'queue/items', 'queue/ended', 'slots', 'opencode', 'context', 'env'].flatMap((directory) =>
    names(directory).flatMap((name) => {
      const file = at(directory, name)
      if (name.includes('.unreadable-')) return [file]
      if (!name.endsWith('.json') || name.startsWith('.')) return []
      try {
        JSON.parse(fs.readFileSync(file, 'utf8'))
        return []
      } catch {
        return [file]
      }
    }),
  )
}

/** A sleep that only agents of one test run, as the process table shows it. */
const nap = (mark: number) => ({ command: `sleep 2.${mark}`, shown: new RegExp(`^sleep 2\\.${mark}$`) })

/** Every command but the starts that are refused; nobody else may have written anything but one error. */
function expectSound(all: Finished[], allowed: (number | null)[]): void {
  const odd = all.filter(({ code, stderr }) => !allowed.includes(code) || (code !== 0 && !oneError.test(stderr)))
  expect(odd).toEqual([])
}

describe('a hundred starts at once', () => {
  const issues = count(100, (index) => `forge.test/${repositories[index % 4]}#${1 + Math.floor(index / 4)}`)
  // Every eighth may wait in the queue, and a daemon takes tasks from there meanwhile.
  const mayQueue = (index: number) => index % 8 === 5

  it('have never more than three agents at work, and each is started, queued or refused', async () => {
    await stage.ok(['queue-daemon', 'start'])
    const work = nap(71)
    const watch = watchProcesses(stage.home.root, work.shown)
    const script = `BASH{{${work.command} && echo once >> done.txt}} SAY{{one of a hundred}}`
    // The first is at work all the while, so that the oracles are sure to see it beside another one.
    const first = await stage.kugetsu(['start', issues[0]!, `GATE=hundred ${script}`])
    const others = await together(
      issues.slice(1).map((issue, index) => ['start', issue, script, ...(mayQueue(index + 1) ? ['--queue'] : [])]),
    )
    const all = [first, ...others]
    expectSound(all, [0, 2])
    await waitFor('two agents at the model', () => stage.model.peakConversations() > 1)
    await stage.model.release('hundred')
    const refused = issues.filter((_, index) => all[index]?.code === 2)
    const queued = issues.filter((_, index) => all[index]?.stdout.startsWith('Queued'))
    const begun = issues.filter((issue, index) => all[index]?.code === 0 && !queued.includes(issue))
    expect(refused.filter((issue) => mayQueue(issues.indexOf(issue)))).toEqual([])
    expect(begun.length).toBeGreaterThanOrEqual(limit)
    expect(refused.length).toBeGreaterThan(50)

    await waitFor(
      'the end of all of them',
      async () => {
        const left = (await items()).filter(({ state }) => state !== 'completed')
        const busy = (await sessions()).filter(({ state }) => state !== 'idle')
        return left.length === 0 && busy.length === 0 && stage.slots().length === 0
      },
      generous,
    )
    await watch.stop()
    const had = await sessions()
    expect(had.map(({ issue_ref }) => issue_ref).toSorted()).toEqual([...begun, ...queued].toSorted())
    expect((await items()).map(({ issue_ref }) => issue_ref).toSorted()).toEqual(queued.toSorted())
    for (const { worktree_path } of had) {
      expect(fs.readFileSync(path.join(worktree_path ?? '', 'done.txt'), 'utf8')).toBe('once\n')
    }
    expect(names('worktrees')).toHaveLength(had.length)
    expect(stage.model.peakConversations()).toBeLessThanOrEqual(limit)
    expect(watch.most()).toBeLessThanOrEqual(limit)
    // The oracles have seen something.
    expect(stage.model.peakConversations()).toBeGreaterThan(1)
    expect(watch.most()).toBeGreaterThan(0)
    expect(watch.looks()).toBeGreaterThan(20)
  })
})

describe('a hundred enqueues at once', () => {
  it('are a hundred tasks and a hundred notifications, while others list and clear them', async () => {
    await stage.ok(['queue-daemon', 'stop'])
    await stage.ok(['queue', 'clear', '--all'])
    await stage.ok(['notify', 'clear'])
    const before = (await runJson<Notification[]>(stage.home, ['notify', 'list', '--all', '--json'])).json.length
    const all = await together([
      ...count(100, (index) => ['queue', 'enqueue', ref(1000 + index), `task ${index}`, '--json']),
      ...count(10, (index) => (index % 2 === 0 ? ['notify', 'clear'] : ['queue', 'list', '--json'])),
    ])
    expectSound(all, [0])
    expect(all.filter(({ stderr }) => stderr !== '').map(({ stderr }) => stderr)).toEqual([])
    const added = all.slice(0, 100).map(({ stdout }) => JSON.parse(stdout) as Item)
    expect(new Set(added.map(({ id }) => id)).size).toBe(100)
    const listed = await items()
    expect(listed.map(({ id }) => id)).toEqual(added.map(({ id }) => id).toSorted())
    expect(listed.map(({ message }) => message).toSorted()).toEqual(count(100, (index) => `task ${index}`).toSorted())
    const told = (await runJson<Notification[]>(stage.home, ['notify', 'list', '--all', '--json'])).json.slice(before)
    expect(told.map(({ queue_item }) => queue_item).toSorted()).toEqual(listed.map(({ id }) => id))
    expect(new Set(told.map(({ id }) => id)).size).toBe(100)

    const removals = await together(listed.flatMap(({ id }) => [0, 1].map(() => ['queue', 'remove', id])))
    expectSound(removals, [0, 1])
    expect(removals.filter(({ code }) => code === 0)).toHaveLength(100)
    expect(await items()).toEqual([])
  })
})

describe('a hundred env set at once', () => {
  it('are all there, whoever is suspended meanwhile; and of one variable the value is one of theirs', async () => {
    const wanted = count(100, (index) => `MANY_${index}`)
    const running = [
      ...wanted.map((name) => ['env', 'set', name, `value of ${name}`, 'dev']),
      ...count(20, (index) => ['env', 'set', 'ONE', `value ${index}`.repeat(200), 'dev']),
      ...count(5, () => ['env', 'show', 'dev', '--json']),
    ].map((args) => spawnKugetsu(stage.home, args))
    // Some of them with the lock in their hands.
    const suspended = running.filter((_, index) => index % 10 === 3)
    for (const { child } of suspended) child.kill('SIGSTOP')
    const others = running.filter((each) => !suspended.includes(each))
    await waitFor('some that ended', () => others.some(({ child }) => child.exitCode !== null)).catch(() => {})
    for (const { child } of suspended) child.kill('SIGCONT')
    expectSound(await Promise.all(running.map(({ finished }) => finished)), [0])
    const { json } = await runJson<{ name: string; value: string }[]>(stage.home, ['env', 'show', 'dev', '--json'])
    expect(json.filter(({ name }) => name.startsWith('MANY_')).map(({ name }) => name)).toEqual(
      expect.arrayContaining(wanted),
    )
    expect(json.find(({ name }) => name === 'ONE')?.value).toMatch(/^(value \d+)(\1)*$/)
    expectSound(await together(wanted.map((name) => ['env', 'rm', name, 'dev'])), [0])
    expect((await stage.ok(['env', 'list'])).includes('MANY_')).toBe(false)
  })
})

describe('the first commands in a home that is not there', () => {
  it('make it together', async () => {
    for (const round of count(Math.ceil(5 * factor), (index) => index)) {
      const env = { KUGETSU_DIR: path.join(stage.home.root, 'fresh', `${round}`, 'home') }
      const all = await together(
        count(12, (index) => ['env', 'set', `FIRST_${index}`, 'x', 'dev']),
        () => ({ env }),
      )
      expectSound(all, [0])
      const text = fs.readFileSync(path.join(env.KUGETSU_DIR, 'env', 'dev.env'), 'utf8')
      expect(text.match(/FIRST_/g)).toHaveLength(12)
    }
  })
})

describe('destroy and start of one issue, again and again at once', () => {
  it('leave either all of it or nothing, and never two agents on it', async () => {
    const work = nap(72)
    const watch = watchProcesses(stage.home.root, work.shown)
    const script = `BASH{{${work.command}}} SAY{{one of many}}`
    const all = await together([
      ...count(30, () => ['start', ref(7), script]),
      ...count(20, () => ['destroy', ref(7), '--force', '--yes']),
    ])
    await watch.stop()
    // Refused: no session yet, or not any more; an agent that could not be told; a slot that is still being given back.
    expectSound(all, [0, 1, 2])
    expect(all.slice(0, 30).some(({ code }) => code === 0)).toBe(true)
    expect(watch.most()).toBeLessThanOrEqual(1)

    const file = stage.file(7)
    expect(fs.existsSync(stage.worktree(7))).toBe(file !== undefined)
    await stage.kugetsu(['wait', ref(7)])
    await stage.kugetsu(['destroy', ref(7), '--force', '--yes'])
    expect(stage.file(7)).toBeUndefined()
    expect(fs.existsSync(stage.worktree(7))).toBe(false)
    expect(stage.slots()).toEqual([])
    // The first may meet an opencode that has seen the directory missing; the next one does not.
    const again = ['start', ref(7), 'BASH{{echo sound > sound.txt}} SAY{{sound}}', '--wait']
    if ((await stage.kugetsu(again)).code !== 0) await stage.ok(again)
    expect(fs.readFileSync(path.join(stage.worktree(7), 'sound.txt'), 'utf8')).toBe('sound\n')
  })
})

describe('eight first starts on one repository, without a server', () => {
  it.each(count(Math.ceil(factor), (index) => index))('all work, in one server (%i)', async (round) => {
    stage.configure({ MAX_CONCURRENT_AGENTS: 8 })
    const name = `eight/repo-${round}`
    stage.git.createRepository(name)
    await stage.ok(['queue-daemon', 'stop'])
    const old = stage.server()
    if (old !== undefined && identify(old.pid) !== undefined) await killAndWait(-old.pid)
    const watch = watchProcesses(stage.home.root, /opencode.* serve /, 50)
    const all = await together(
      count(8, (index) => ['start', `forge.test/${name}#${index + 1}`, 'BASH{{git status}} SAY{{here}}']),
    )
    expectSound(all, [0])
    await stage.ok(['wait', ...count(8, (index) => `forge.test/${name}#${index + 1}`)])
    await watch.stop()
    expect(watch.most()).toBe(1)
    expect(stage.slots()).toEqual([])
  })
})

describe('a hundred daemons at once', () => {
  const daemons = () => daemonsOf(stage.home.root)

  it.each(count(Math.ceil(factor), (index) => index))('are one (%i)', async () => {
    await stage.ok(['queue-daemon', 'start'])
    await killAndWait(daemons()[0]?.pid ?? 0)
    const started = count(60, () => spawnKugetsu(stage.home, ['supervise']))
    const all = await together(count(40, () => ['queue-daemon', 'start']))
    expectSound(all, [0])
    const [one] = await waitFor('one of them', () => {
      const living = daemons()
      return living.length === 1 && living
    })
    const said = new Set(all.map(({ stdout }) => /pid (\d+)/.exec(stdout)?.[1]))
    expect([...said]).toEqual([String(one?.pid)])
    expect(fs.readFileSync(at('queue', 'daemon.pid'), 'utf8')).toBe(`${one?.pid}\n`)
    expectSound(await Promise.all(started.filter(({ pid }) => pid !== one?.pid).map(({ finished }) => finished)), [0])
    await stage.ok(['queue-daemon', 'stop'])
    expect(daemons()).toEqual([])
  })
})

it('has torn no state file and set none aside', () => {
  expect(unreadable()).toEqual([])
})
