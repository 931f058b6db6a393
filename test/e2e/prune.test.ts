/** Cleaning up, and homes of the bash tool, whose sessions, worktrees and queue are gone on with as they are. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/sessions/status/session-view.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

interface Pruned {
  kind: string
  issue_ref: string | null
  what: string
  why: string
  fate: string
  reasons: string[]
}

const fixture = fileURLToPath(new URL('../fixtures/bash-home-parent-worktrees', import.meta.url))
const old = (number: number) => `github.com/shoko/kugetsu#${number}`

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ init: false })
  // The home of a user of the bash tool, whose name and repository are here instead of there.
  const parent = path.dirname(stage.home.kugetsuDir)
  const { kugetsuDir } = stage.home
  for (const name of fs.readdirSync(fixture, { recursive: true, encoding: 'utf8' })) {
    const from = path.join(fixture, name)
    if (fs.statSync(from).isDirectory()) continue
    fs.mkdirSync(path.dirname(path.join(kugetsuDir, name)), { recursive: true })
    const text = fs.readFileSync(from, 'utf8').replaceAll('/home/shoko/', `${parent}/`)
    fs.writeFileSync(path.join(kugetsuDir, name), text)
  }
  // github.com has nothing to do with this.
  fs.appendFileSync(path.join(kugetsuDir, 'config'), 'WORKTREE_CHECK_PR_STATUS=false\n')
  const url = `${stage.git.url}/me/app.git`
  fs.writeFileSync(path.join(kugetsuDir, 'repos.json'), JSON.stringify({ 'github.com/shoko/kugetsu': url }))
  fs.writeFileSync(
    path.join(kugetsuDir, 'queue.json'),
    '{"queue": [{"id": "q_1774801000", "message": "look into #14"}]}',
  )
  for (const number of [31, 32]) {
    git(parent, 'clone', '-q', url, bashWorktree(number))
    git(bashWorktree(number), 'checkout', '-q', '-b', `fix/issue-${number}`)
  }
})
afterAll(() => stage.cleanup())

const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', args, { cwd, env: stage.home.env, encoding: 'utf8', stdio: 'pipe' }).trim()
const bashWorktree = (number: number) =>
  path.join(path.dirname(stage.home.kugetsuDir), '.kugetsu-worktrees', `github.com-shoko-kugetsu-${number}`)
const sessions = async () => (await runJson<SessionView[]>(stage.home, ['list', '--json'])).json
const prune = async (...args: string[]) => (await runJson<Pruned[]>(stage.home, ['prune', ...args, '--json'])).json

describe('a home of the bash tool', () => {
  it('is listed as it is, and gets new base and PM agent sessions that opencode knows', async () => {
    expect((await sessions()).map(({ issue_ref, worktree_path }) => [issue_ref, worktree_path]).slice(2)).toEqual([
      [old(31), bashWorktree(31)],
      [old(32), bashWorktree(32)],
    ])
    await stage.ok(['init', '--force'])
    expect((await sessions()).map(({ issue_ref }) => issue_ref)).toEqual([null, null, old(31), old(32)])
  })

  it('has its queue taken over', async () => {
    expect((await runJson(stage.home, ['queue', 'stats', '--json'])).json).toMatchObject({ total: 2, pending: 1 })
    expect(fs.existsSync(path.join(stage.home.kugetsuDir, 'queue.json.taken-over'))).toBe(true)
    await stage.ok(['queue', 'remove', 'q_1774801000'])
  })

  it('is gone on with: a session that opencode has lost becomes a new one in the same worktree', async () => {
    fs.writeFileSync(path.join(bashWorktree(31), 'notes.txt'), 'of the old agent\n')
    await stage.ok(['continue', old(31), 'BASH{{echo more >> notes.txt; pwd > where.txt}} SAY{{went on}}', '--wait'])
    expect(fs.readFileSync(path.join(bashWorktree(31), 'notes.txt'), 'utf8')).toBe('of the old agent\nmore\n')
    expect(fs.readFileSync(path.join(bashWorktree(31), 'where.txt'), 'utf8').trim()).toBe(bashWorktree(31))
    const now = (await sessions()).find(({ issue_ref }) => issue_ref === old(31))
    expect(now).toMatchObject({ state: 'idle', worktree_path: bashWorktree(31), branch: 'fix/issue-31' })
    expect(now?.opencode_session_id).not.toBe('ses_issue310000000000000000001')
    const file = path.join(stage.home.kugetsuDir, 'sessions', 'github.com-shoko-kugetsu-31.json')
    expect(JSON.parse(fs.readFileSync(file, 'utf8'))).toMatchObject({ fork_pid: 5131 })
  })

  it('is pruned: what opencode has lost goes when nothing of it would be lost', async () => {
    // opencode 2 never had the sessions of the bash tool: it has to lose one of its own.
    if (stage.look().kind === 'opencode2') {
      await stage.ok(['continue', old(32), 'SAY{{went on}}', '--wait'])
      const id = (await sessions()).find(({ issue_ref }) => issue_ref === old(32))?.opencode_session_id ?? ''
      await stage.look().remove(id)
    }
    const [lost, ...more] = await prune()
    expect(more).toEqual([])
    expect(lost).toMatchObject({ kind: 'session', issue_ref: old(32), fate: 'would_remove', reasons: [] })
    fs.writeFileSync(path.join(bashWorktree(32), 'new.txt'), 'n')
    const kept = await stage.ok(['prune', '--force'])
    expect(kept).toMatch(/^stays +session github\.com\/shoko\/kugetsu#32\n +opencode does not have its session/)
    expect(kept).toMatch(/^ +1 untracked file: new\.txt\n\n1 thing stays$/m)
    fs.rmSync(path.join(bashWorktree(32), 'new.txt'))
    expect(await prune('--force')).toMatchObject([{ issue_ref: old(32), fate: 'removed' }])
    expect(fs.existsSync(bashWorktree(32))).toBe(false)
    expect(await stage.ok(['prune'])).toBe('Nothing is left over\n')
  })

  it('is destroyed under the same protection, and its work comes back', async () => {
    const refused = await stage.kugetsu(['destroy', old(31), '-y'])
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('2 untracked files') })
    await stage.ok(['destroy', old(31), '-y', '--force'])
    expect(fs.existsSync(bashWorktree(31))).toBe(false)
    await stage.ok(['recover', old(31)])
    const place = path.join(stage.home.kugetsuDir, 'worktrees', 'github.com-shoko-kugetsu-31')
    expect(fs.readFileSync(path.join(place, 'notes.txt'), 'utf8')).toBe('of the old agent\nmore\n')
  })
})

describe('prune', () => {
  it('shows what is left over and why, within 80 columns, and changes nothing without --force', async () => {
    await stage.ok(['start', ref(1), 'SAY{{one}}', '--wait'])
    await stage.ok(['start', ref(2), 'BASH{{echo x > new.txt}} SAY{{two}}', '--wait'])
    const index = path.join(stage.home.kugetsuDir, 'index.json')
    const before = JSON.parse(fs.readFileSync(index, 'utf8')) as { issues: Record<string, string> }
    const { [ref(1)]: _, [ref(2)]: __, ...issues } = before.issues
    issues['forge.test/me/app#3'] = 'forge.test-me-app-3.json'
    fs.writeFileSync(index, JSON.stringify({ ...before, issues }))
    expect((await prune()).map(({ kind, issue_ref, fate, reasons }) => [kind, issue_ref, fate, reasons])).toEqual([
      ['session_file', ref(1), 'would_remove', []],
      ['session_file', ref(2), 'stays', ['1 untracked file: new.txt']],
      ['index_entry', ref(3), 'would_remove', []],
    ])
    const said = await stage.ok(['prune'])
    expect(said).toMatch(/\n2 things can be removed: kugetsu prune --force; 1 thing stays\n$/)
    expect(Math.max(...said.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    expect([stage.file(1), stage.file(2)]).not.toContain(undefined)
  })

  it('--force removes what loses nothing, and ends well though something stays', async () => {
    const said = await stage.ok(['prune', '--force'])
    expect(said).toMatch(/\nRemoved 2 things; 1 thing stays\n$/)
    expect([stage.file(1), fs.existsSync(stage.worktree(1))]).toEqual([undefined, false])
    expect(fs.readFileSync(path.join(stage.worktree(2), 'new.txt'), 'utf8')).toBe('x\n')
    expect(await prune()).toMatchObject([{ issue_ref: ref(2), fate: 'stays' }])
  })

  it('is not for the PM agent to force', async () => {
    const refused = await stage.kugetsu(['prune', '--force'], { env: { KUGETSU_AGENT: 'pm-agent' } })
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('a person decides it') })
  })
})

it('leaves no process behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
