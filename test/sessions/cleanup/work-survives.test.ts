/**
 * Whatever an agent leaves in its worktree is there still or comes back byte for byte, however the worktree goes.
 * Half of the removals are killed at one of their steps first, and then done again.
 * Random sequences on real git; `KUGETSU_SEED=<number> npx vitest …` has one of them again.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { destroyIssue, removeWork } from '../../../src/sessions/cleanup/destroy.ts'
import { findOrphans } from '../../../src/sessions/cleanup/orphans.ts'
import { listSaved, recoverWork } from '../../../src/sessions/cleanup/recover.ts'
import { changeIndex, changeSession, readIndex, readSession } from '../../../src/sessions/file/store.ts'
import { buildProgram, type Program } from '../../helpers/programs.ts'
import { createIssueGround, type IssueGround } from '../../helpers/issue-ground.ts'
import { createRandom, type Random } from '../../helpers/random.ts'

const sequences = 36
const atOnce = 3
const seeds =
  process.env['KUGETSU_SEED'] === undefined
    ? Array.from({ length: sequences }, (_, index) => 20_261_121 + index)
    : [Number(process.env['KUGETSU_SEED'])]

let ground: IssueGround
let cleaner: Program
beforeAll(async () => {
  cleaner = await buildProgram('cleaner')
  ground = createIssueGround({
    'a.txt': 'one\n',
    'dir/b.txt': 'two\nlines\n',
    'c.bin': '\u0000\u0001',
    '.gitignore': '*.log\nlocal/\nnode_modules/\n',
    '.gitattributes': '*.txt text=auto\n',
  })
})
afterAll(async () => {
  await cleaner.remove()
  ground.cleanup()
})

/** What an agent does, by name; `number` makes each different. */
const deeds: Record<string, (at: Worker, number: number) => void> = {
  'changes a file': (at, number) => at.write(at.random.pick(['a.txt', 'dir/b.txt', 'c.bin']), `changed ${number}\n`),
  'writes a new file': (at, number) => at.write(`new/${number} "ö".txt`, Buffer.from([0, 255, 13, 10, number])),
  'writes an ignored file': (at, number) => at.write(at.random.pick(['x.log', 'local/.env']), `secret ${number}`),
  'deletes a file': (at) => fs.rmSync(path.join(at.place, at.random.pick(['a.txt', 'c.bin'])), { force: true }),
  'makes a link': (at, number) => fs.symlinkSync(`nowhere/${number}`, path.join(at.place, `link-${number}`)),
  'makes a file executable': (at, number) => {
    at.write(`run-${number}.sh`, '#!/bin/sh\n')
    fs.chmodSync(path.join(at.place, `run-${number}.sh`), 0o755)
  },
  stages: (at) => at.git('add', '--all'),
  'stages and changes again': (at, number) => {
    at.write('a.txt', `staged ${number}`)
    at.git('add', 'a.txt')
    at.write('a.txt', `and changed ${number}`)
  },
  commits: (at, number) => at.git('commit', '--quiet', '--all', '--allow-empty', '--message', `Commit ${number}`),
  stashes: (at, number) => at.git('stash', 'push', '--quiet', '--include-untracked', '--message', `stash ${number}`),
  pushes: (at) => at.git('push', '--quiet', '--force', 'origin', 'HEAD:refs/heads/pushed-by-' + at.number),
  'goes to another branch': (at, number) => at.git('checkout', '--quiet', '-b', `side-${at.number}-${number}`),
  'detaches HEAD': (at) => at.git('checkout', '--quiet', '--detach'),
}

const mirror = () => path.join(ground.service.paths.repos, 'forge.test', 'me', 'app.git')

interface Worker {
  number: number
  place: string
  random: Random
  git: (...args: string[]) => string
  write: (file: string, content: string | Buffer) => void
}

/** How the worktree goes, by name; false when it has to stay, for a reason. */
const ends: Record<string, (at: Worker, name: string) => Promise<boolean>> = {
  'destroy --force': async (_, name) => {
    await destroyIssue(ground.service, name, { force: true })
    return true
  },
  'start --fresh': async (_, name) => {
    await removeWork(ground.service, readSession(ground.service, name)!, name)
    await changeSession(ground.service, name, (current) => current && { ...current, worktree_path: null })
    return true
  },
  'prune --force': async (_, name) => {
    await changeIndex(ground.service, (index) => {
      const issues = Object.entries(index.issues).filter(([, file]) => file !== `${name}.json`)
      return { ...index, issues: Object.fromEntries(issues) }
    })
    const orphans = await findOrphans(ground.service, readIndex(ground.service)!)
    const mine = orphans.find(({ what }) => path.basename(what) === `${name}.json`)
    if (mine === undefined) throw new Error('prune does not find it')
    const reasons = (await mine.look()).reasons
    if (reasons.length > 0) {
      await mine.remove().catch(() => {}) // what has to stay does so whoever asks
      return false
    }
    await mine.remove()
    return true
  },
}

/** More than any removal has of them that matter: some are not killed, then they are done. */
const mostSteps = 70
const preload = fileURLToPath(new URL('../../faults/kill/steps.cjs', import.meta.url))

/** Removes it in a process of its own, which is killed at its step number `nth`; whether it came to that. */
async function cutOff(at: Worker, name: string, end: string, nth: number): Promise<boolean> {
  const { service } = ground
  const steps = fs.mkdtempSync(path.join(ground.root, 'steps-'))
  const kill = at.random.pick([['self'], ['self', 'child']])
  const trap = {
    id: 1,
    role: 'command',
    nth,
    when: at.random.pick(['before', 'after']),
    kill,
    delayMs: at.random.below(8),
  }
  fs.writeFileSync(path.join(steps, 'trap.json'), JSON.stringify(trap))
  const env = { NODE_OPTIONS: `--require=${preload}`, KUGETSU_TEST_STEPS: steps, KUGETSU_DIR: service.paths.home }
  const config = { home: service.paths.home, name, how: end, env: service.env, now: service.clock.now }
  return (await cleaner.start(config, undefined, env).ended) === 'SIGKILL'
}

/** All that is to survive: files, index, HEAD, stashes. */
function stateOf(at: Worker) {
  const files = fs.readdirSync(at.place, { recursive: true, encoding: 'utf8' }).filter((file) => file !== '.git')
  const content = (file: string) => {
    const full = path.join(at.place, file)
    const stat = fs.lstatSync(full)
    if (stat.isSymbolicLink()) return `-> ${fs.readlinkSync(full)}`
    return stat.isDirectory() ? undefined : `${stat.mode & 0o100} ${fs.readFileSync(full).toString('base64')}`
  }
  const stashes = fs.existsSync(path.join(mirror(), 'refs', 'stash'))
    ? at.git('log', '--walk-reflogs', '--format=%H %gs', 'refs/stash', '--').split('\n')
    : []
  return {
    files: Object.fromEntries(
      files.sort().flatMap((file) => (content(file) === undefined ? [] : [[file, content(file)]])),
    ),
    index: at.git('ls-files', '--stage', '-z'),
    head: at.git('rev-parse', 'HEAD'),
    branch: at.git('rev-parse', '--abbrev-ref', 'HEAD'),
    own: stashes.filter((line) => new RegExp(`on (fix/issue-|side-)${at.number}\\b`, 'i').test(line)),
  }
}

function tick(): void {
  const { clock } = ground.service
  clock.now = new Date(clock.now.getTime() + 1000)
}

/** Lives through the sequence of a seed, which `story` tells; what was, and what is there again. */
async function live(seed: number, number: number, story: string[]): Promise<[unknown, unknown][]> {
  const random = createRandom(seed)
  const { service } = ground
  const { name, path: place } = await ground.issue(number)
  const at: Worker = {
    number,
    place,
    random,
    git: (...args) => ground.git(place, ...args),
    write: (file, content) => {
      fs.mkdirSync(path.dirname(path.join(place, file)), { recursive: true })
      fs.writeFileSync(path.join(place, file), content)
    },
  }
  const pairs: [unknown, unknown][] = []
  // Twice, so that what came back is lived in as well.
  for (let round = 0; round < 2; round++) {
    const count = random.below(7)
    for (let step = 0; step < count; step++) {
      const deed = random.pick(Object.keys(deeds))
      story.push(deed)
      deeds[deed]?.(at, round * 10 + step)
    }
    const before = stateOf(at)
    const end = random.pick(Object.keys(ends))
    story.push(`(${end})`)
    const known = new Set((await listSaved(service)).map(({ ref }) => ref))
    if (random.below(2) === 0) {
      const nth = 1 + random.below(mostSteps)
      const killed = await cutOff(at, name, end, nth)
      tick() // as time goes on for whoever does it again
      if (killed) story.push(`killed at its step ${nth}`)
      // The worktree as it was, or what was saved of it, or it was worth nothing; and if it is half, it is a removal again.
      if (fs.existsSync(place)) pairs.push([before, stateOf(at)])
    }
    const isGone = readSession(service, name)?.worktree_path == null || (await ends[end]?.(at, name))
    pairs.push([isGone, !fs.existsSync(place)])
    if (isGone !== true) {
      pairs.push([before, stateOf(at)])
      break
    }
    const saved = (await listSaved(service)).find((point) => point.name === name && !known.has(point.ref))
    if (saved === undefined) {
      // Nothing was saved, so all of it must be what the remote has.
      const isPushed = ground.git(mirror(), 'branch', '--remotes', '--contains', before.head) !== ''
      const again = await ground.issue(number)
      ground.git(again.path, 'checkout', '--quiet', '--detach', before.head)
      pairs.push([true, isPushed], [{ ...before, branch: 'HEAD' }, stateOf(at)])
      break
    }
    await recoverWork(service, saved, {})
    pairs.push([before, stateOf(at)])
    tick()
  }
  return pairs
}

it(`survives ${seeds.length} sequences`, async () => {
  const waiting = [...seeds.entries()]
  const told: string[] = []
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const story: string[] = []
      const about = () => `seed ${next?.[1]}: ${story.join(', ')}`
      const pairs = await live(next[1], next[0] + 1, story).catch((cause: unknown) => {
        throw new Error(`${about()}: ${String(cause)}`, { cause })
      })
      for (const [was, is] of pairs) expect(is, about()).toEqual(was)
      told.push(...story)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  // The sequences are worth something only if they have all of it.
  const missing = [...Object.keys(deeds), ...Object.keys(ends).map((end) => `(${end})`)].filter(
    (each) => !told.includes(each),
  )
  expect(seeds.length < sequences ? [] : missing).toEqual([])
}, 300_000)
