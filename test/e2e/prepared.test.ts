import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 1 } })
})
afterAll(() => stage.cleanup())

const mirror = () => path.join(stage.home.kugetsuDir, 'repos', 'forge.test', 'me', 'app.git')
const git = (...args: string[]) => execFileSync('git', args, { env: stage.home.env, encoding: 'utf8' }).trim()
const branches = () =>
  git(`--git-dir=${mirror()}`, 'for-each-ref', '--format=%(refname:short)', 'refs/heads').split('\n')
const isPrepared = (number: number) => fs.existsSync(path.join(stage.worktree(number), 'README.md'))
const enqueue = async (number: number, message: string) =>
  (await runJson<Item>(stage.home, ['queue', 'enqueue', ref(number), message, '--json'])).json.id
const states = async () =>
  (await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])).json.map(({ state }) => state)

describe('tasks that wait for a slot', () => {
  let third: string
  it('have their worktrees made ahead, and are pending all the same', async () => {
    await stage.ok(['queue-daemon', 'start'])
    await enqueue(1, 'GATE=one SAY{{did one}}')
    await stage.model.turn('did one')
    await enqueue(2, 'BASH{{cat new.txt}} SAY{{did two}}')
    third = await enqueue(3, 'SAY{{did three}}')
    await waitFor('a worktree ahead', () => isPrepared(2))
    expect([await states(), stage.file(2), stage.slots().length > 0]).toEqual([
      ['notified', 'pending', 'pending'],
      undefined,
      true,
    ])
    // No more than there are slots.
    expect(isPrepared(3)).toBe(false)
    expect(await stage.ok(['prune'])).not.toContain('worktrees')
    expect(await stage.ok(['doctor'])).toMatch(/^pass +worktrees /m)
    expect(stage.model.turns('did two')).toEqual([])
  })

  it('are not held to it: one that is removed from the queue leaves nothing, another takes its place', async () => {
    const [, waiting] = (await runJson<Item[]>(stage.home, ['queue', 'list', '--json'])).json
    await stage.ok(['queue', 'remove', waiting?.id ?? ''])
    await waitFor('the worktree to be gone', () => !fs.existsSync(stage.worktree(2)))
    await waitFor('the next one', () => isPrepared(3) && branches().includes('fix/issue-3'))
    expect(branches()).toEqual(['fix/issue-1', 'fix/issue-3'])
    await enqueue(2, 'BASH{{cat new.txt}} SAY{{did two}}')
  })

  it('begin where the base is by then, as on an issue that nobody has worked on', async () => {
    const head = stage.git.commit('me/app', 'main', { 'new.txt': 'of today' })
    await stage.model.release('one')
    await waitFor('the end of all', async () => (await states()).every((state) => state === 'completed'))
    expect(JSON.stringify(stage.model.turns('did two').at(-1))).toContain('of today')
    for (const number of [2, 3]) expect(git('-C', stage.worktree(number), 'rev-parse', 'HEAD')).toBe(head)
    expect(stage.model.turns('did three')[0]?.asked).not.toMatch(/already/)
    expect(third).toMatch(/^q_/)
  })

  it('leave nothing when the daemon ends, and what somebody has put there stays', async () => {
    await enqueue(4, 'GATE=four SAY{{did four}}')
    await stage.model.turn('did four')
    await enqueue(5, 'SAY{{did five}}')
    await waitFor('a worktree ahead', () => isPrepared(5))
    fs.writeFileSync(path.join(stage.worktree(5), 'mine.txt'), 'mine')
    await stage.ok(['queue-daemon', 'stop'])
    await waitFor('the end of the daemon', async () => (await stage.kugetsu(['queue-daemon', 'status'])).code === 1)
    expect(fs.readFileSync(path.join(stage.worktree(5), 'mine.txt'), 'utf8')).toBe('mine')
    fs.rmSync(path.join(stage.worktree(5), 'mine.txt'))

    await stage.ok(['queue-daemon', 'start'])
    await waitFor('a dispatching daemon', async () => (await stage.kugetsu(['queue-daemon', 'status'])).code === 0)
    await enqueue(6, 'SAY{{did six}}')
    await stage.model.release('four')
    await waitFor('the end of all', async () => (await states()).every((state) => state === 'completed'))
    expect(stage.model.turns('did five')[0]?.asked).not.toMatch(/already/)
  })
})
