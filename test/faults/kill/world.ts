/** Kugetsu as a person has it, with a trap that can be set for the next step of a kind; and what must be true after it. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { Item } from '../../../src/queue/item.ts'
import type { SessionView } from '../../../src/sessions/status/session-view.ts'
import { run, runJson, type Finished } from '../../helpers/kugetsu.ts'
import { daemonsOf, leftovers, serversOf } from '../../helpers/processes.ts'
import { ref, setStage, type Stage } from '../../helpers/stage.ts'
import { waitFor } from '../../helpers/wait-for.ts'

export type Victim = 'self' | 'server' | 'daemon' | 'child'
export type Moment = 'before' | 'during' | 'after'

/** Which process is at the step: a command that a person gives, or the daemon. */
export type Role = 'command' | 'daemon'

export interface Trap {
  role: Role
  step: string
  /** The how manieth of its kind, from 1, of that process. */
  nth: number
  when: Moment
  kill: Victim[]
  /** How far into a program or a request, in milliseconds. */
  delayMs?: number
}

export interface World extends Stage {
  /** Runs kugetsu with a trap set: what it printed, and whether the trap was sprung. */
  trapped: (args: string[], trap: Trap) => Promise<Finished & { sprung: boolean }>
  set: (trap: Trap) => void
  sprung: () => boolean
  /** Takes the trap away again. */
  disarm: () => void
  /** The steps since the last call, oldest first. */
  steps: () => { role: Role; step: string }[]
  /** What the agent of a task does: one commit, however often it is interrupted, and a line outside each time it begins. */
  task: (word: string, gate?: string) => string
  /** How often that was begun. */
  ran: (word: string) => number
  /** How many messages with that task are in the sessions of opencode. */
  told: (word: string) => number
  /** The tasks of the queue as they lie there. */
  items: () => Item[]
  /** All of them are over. */
  isIdle: () => boolean
  /** The state of an issue's session as `list` shows it, undefined without one. */
  stateOf: (number: number) => Promise<string | undefined>
  /** Git in an issue's worktree. */
  inWorktree: (number: number, ...args: string[]) => string
  at: (...parts: string[]) => string
}

/** A limit of one, so that a slot that stays taken stops everything, and two agents at once are one too many. */
export const limit = 1

/** Nobody else uses it. */
const firstIssue = 9_999

const preload = fileURLToPath(new URL('steps.cjs', import.meta.url))

export async function createWorld(config: Record<string, string | number> = {}): Promise<World> {
  const stage = await setStage({
    findsProviders: true, // finding them has steps of its own
    config: { MAX_CONCURRENT_AGENTS: limit, KUGETSU_SERVER_IDLE_MINUTES: 60, ...config },
  })
  const directory = path.join(stage.home.root, 'steps')
  fs.mkdirSync(directory)
  fs.writeFileSync(path.join(directory, 'trace'), '')
  stage.home.env['KUGETSU_TEST_STEPS'] = directory
  stage.home.env['NODE_OPTIONS'] = `--require=${preload}`
  const file = (name: string) => path.join(directory, name)
  const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
  let traps = 0
  let read = 0
  const world: World = {
    ...stage,
    at,
    set: (trap) => {
      fs.rmSync(file('sprung.json'), { force: true })
      fs.writeFileSync(file('trap.tmp'), JSON.stringify({ ...trap, id: ++traps }))
      fs.renameSync(file('trap.tmp'), file('trap.json'))
    },
    sprung: () => fs.existsSync(file('sprung.json')),
    disarm: () => fs.rmSync(file('trap.json'), { force: true }),
    trapped: async (args, trap) => {
      world.set(trap)
      const finished = await run(stage.home, args)
      world.disarm()
      return { ...finished, sprung: world.sprung() }
    },
    steps: () => {
      const lines = fs.readFileSync(file('trace'), 'utf8').split('\n').slice(0, -1)
      const fresh = lines.slice(read).map((line) => line.split('\t') as [Role, string])
      read = lines.length
      return fresh.map(([role, step]) => ({ role, step }))
    },
    task: (word, gate) => {
      const commit = `echo ${word} > ${word}.txt && git add ${word}.txt && git commit -q -m "Do ${word}"`
      const careful = `git log --format=%s | grep -qx "Do ${word}" || { ${commit}; }`
      const begin = `echo ${word} >> "${path.join(stage.home.root, `${word}.ran`)}"`
      return `RESUMES! ${gate === undefined ? '' : `GATE=${gate} `}SLEEP=0.1 BASH{{${begin}; ${careful}}} SAY{{did ${word}}}`
    },
    ran: (word) => {
      const ran = path.join(stage.home.root, `${word}.ran`)
      return fs.existsSync(ran) ? fs.readFileSync(ran, 'utf8').split('\n').length - 1 : 0
    },
    told: (word) =>
      stage
        .look()
        .told()
        .filter(({ text }) => text.includes(`did ${word}}}`)).length,
    items: () =>
      names(at('queue', 'items'))
        .filter((name) => /^q_\d+\.json$/.test(name))
        .map((name) => JSON.parse(fs.readFileSync(at('queue', 'items', name), 'utf8')) as Item),
    // Its end is noted on the item before what was kept of it is removed.
    isIdle: () =>
      world.items().every(({ state }) => state === 'completed' || state === 'error') &&
      names(at('queue', 'ended')).length === 0,
    stateOf: async (number) => {
      const { json } = await runJson<SessionView[]>(stage.home, ['list', '--all', '--json'])
      return json.find(({ issue_ref }) => issue_ref === ref(number))?.state
    },
    inWorktree: (number, ...args) =>
      execFileSync('git', args, { cwd: stage.worktree(number), env: stage.home.env, encoding: 'utf8' }).trim(),
  }
  // From here on every command takes the steps that it always takes: mirror, daemon and locks are there.
  await world.ok(['queue', 'enqueue', ref(firstIssue), 'SAY{{first}}'])
  await world.ok(['queue-daemon', 'start'])
  await waitFor('the first task', world.isIdle)
  await world.ok(['start', ref(firstIssue), 'SAY{{second}}', '--wait'])
  return world
}

/** What must be true at any time, once nobody is at work: nothing of a killed process is in anybody's way. */
export async function expectSound(world: World): Promise<void> {
  await waitFor('the slots to be free', () => world.slots().length === 0, { timeoutMs: 30_000 })
  expect(world.model.peakConversations(), 'agents at once').toBeLessThanOrEqual(limit)
  for (const directory of ['', 'sessions', 'queue/items', 'queue/ended', 'context', 'opencode']) {
    for (const name of names(world.at(directory))) {
      expect(name).not.toContain('unreadable')
      if (!name.endsWith('.json') || name.startsWith('.')) continue
      const text = fs.readFileSync(world.at(directory, name), 'utf8')
      expect(() => JSON.parse(text) as unknown, `${directory}/${name}: ${text}`).not.toThrow()
    }
  }
  const index = JSON.parse(fs.readFileSync(world.at('index.json'), 'utf8')) as { issues: Record<string, string> }
  for (const session of Object.values(index.issues)) expect(names(world.at('sessions'))).toContain(session)
  await waitFor('one daemon at most', () => daemonsOf(world.home.root).length <= 1, { timeoutMs: 30_000 })
  await waitFor('one server at most', () => serversOf(world.home.root).length <= 1, { timeoutMs: 30_000 })
  await waitFor('no git', () => leftovers(world.home.root).every(({ command }) => !command.startsWith('git ')))
}

/** A worktree that is whole: on its branch, all of it checked out, not locked as one that is being made. */
export function expectWhole(world: World, number: number): void {
  expect(world.inWorktree(number, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe(`fix/issue-${number}`)
  expect(world.inWorktree(number, 'status', '--porcelain')).toBe('')
  expect(world.inWorktree(number, 'worktree', 'list', '--porcelain')).not.toContain('locked')
  expect(world.inWorktree(number, 'fsck', '--no-dangling', '--no-progress')).toBe('')
  const halves = names(world.at('worktrees')).filter((name) => name.startsWith(`.forge.test-me-app-${number}.`))
  expect(halves).toEqual([])
}

/** A command that was not killed has done it, or says on one line why not. */
export function expectTruth({ code, stderr }: Finished): void {
  expect(stderr).not.toMatch(/^ {4}at /m)
  if (code !== 0 && code !== null) expect(stderr.trim()).not.toBe('')
}

function names(directory: string): string[] {
  return fs.existsSync(directory) ? fs.readdirSync(directory) : []
}
