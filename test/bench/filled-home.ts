/** A home with as many sessions and tasks as wanted, as months of work leave them; no opencode has to run for it. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { pathsOf } from '../../src/config/paths.ts'
import { newItem, type Item } from '../../src/queue/item.ts'
import { begun, finished, notified } from '../../src/queue/transitions.ts'
import { placesOf } from '../../src/queue/places.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { ref } from '../helpers/stage.ts'
import type { Bench } from './bench.ts'

const first = Date.parse('2026-05-01T12:00:00Z')
/** Of so many tasks one waits; the others are done. */
const onePendingIn = 10
const words = 'Fix the login form: it drops what was typed when the password is wrong. Add a test that shows it. '

/** A home with `count` issues, each with a session that is done and a task in the queue. */
export function filledHome(bench: Bench, count: number): Home {
  const home = createHome({ findsProviders: true })
  bench.afterwards(() => home.cleanup())
  const paths = pathsOf(home.kugetsuDir)
  for (const directory of [paths.sessions, placesOf({ paths }).items])
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  const write = (file: string, value: unknown) =>
    fs.writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  const special = { worktree_path: null, created_at: at(0), updated_at: at(0), state: 'idle' }
  write(path.join(paths.sessions, 'base.json'), { type: 'base', opencode_session_id: 'ses_base', ...special })
  write(path.join(paths.sessions, 'pm-agent.json'), { type: 'pm_agent', opencode_session_id: 'ses_pm', ...special })
  const issues: Record<string, string> = {}
  for (let number = 1; number <= count; number++) {
    const name = `forge.test-me-app-${number}`
    issues[ref(number)] = `${name}.json`
    write(path.join(paths.sessions, `${name}.json`), session(number, path.join(paths.worktrees, name)))
    const item = number % onePendingIn === 0 ? waiting(number) : done(number)
    write(path.join(placesOf({ paths }).items, `${item.id}.json`), item)
  }
  write(paths.index, { base: 'ses_base', pm_agent: 'ses_pm', issues })
  return home
}

/** Adds `count` tasks that wait to a queue, each of an issue of its own, from issue 10,001 on. */
export function writeWaiting(queueItems: string, count: number): void {
  fs.mkdirSync(queueItems, { recursive: true, mode: 0o700 })
  for (let number = 10_001; number <= 10_000 + count; number++) {
    const item = waiting(number)
    fs.writeFileSync(path.join(queueItems, `${item.id}.json`), `${JSON.stringify(item, null, 2)}\n`, { mode: 0o600 })
  }
}

function session(number: number, worktree: string): object {
  return {
    type: 'forked',
    issue_ref: ref(number),
    opencode_session_id: sessionId(number),
    worktree_path: worktree,
    branch_name: `fix/issue-${number}`,
    base_branch: 'main',
    pr_url: `https://forge.test/me/app/pulls/${number}`,
    state: 'idle',
    created_at: at(number),
    updated_at: at(number + 600),
    last_error: null,
    model: null,
    agent: null,
    briefed: true,
    run: null,
    cost: 0.25,
    tokens: { input: 120_000, output: 4_000, reasoning: 0, cache: { read: 90_000, write: 0 } },
  }
}

function waiting(number: number): Item {
  return newItem(`q_${first + number}`, { issue_ref: ref(number), message: words.repeat(3) }, new Date(at(number)))
}

function done(number: number): Item {
  const agent = {
    at: at(number + 2),
    opencode_session_id: sessionId(number),
    pid: 4711,
    run: `${first.toString(36)}-${number}`,
  }
  const end = { state: 'idle', error: null, stopped: false, never_began: false, ended_at: at(number + 600) }
  const answer = words.repeat(2)
  const result = { branch: `fix/issue-${number}`, commits: 2, cost: 0.25, pr_url: null, answer }
  return (
    [
      (item: Item) => begun(item, new Date(at(number + 1))),
      (item: Item) => notified(item, agent),
      (item: Item) => finished(item, end, result),
    ] as const
  ).reduce((item, step) => step(item) ?? item, waiting(number))
}

function sessionId(number: number): string {
  return `ses_${String(number).padStart(26, '0')}`
}

function at(seconds: number): string {
  return new Date(first + seconds * 1000).toISOString()
}
