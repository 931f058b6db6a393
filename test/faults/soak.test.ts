import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { figuresOf } from '../soak/figures.ts'
import { soak } from '../soak/soak.ts'
import { factor } from './bounds.ts'

// Some dozens of tasks, by what can be counted; `npm run soak` does thousands and shows megabytes.

const kept = 10
/** They are cleared away after so many runs. */
const between = 10
/** Issues that may be under way at once, with what the helper itself keeps back. */
const underWay = 8
/** Descriptors come and go with requests, git and the agents at work. */
const passing = 15

let stage: Stage
beforeAll(async () => {
  stage = await setStage({
    env: { OPENCODE_CONFIG_CONTENT: '{"snapshot":true}' }, // so that their removal is seen too
    config: { MAX_CONCURRENT_AGENTS: 3, WORKTREE_CHECK_PR_STATUS: 'false', QUEUE_KEEP_FINISHED: kept },
  })
  await stage.ok(['queue-daemon', 'start'])
})
afterAll(() => stage.cleanup())

it('a home in which task after task is done takes no more after many than after a few', async () => {
  const { figures, failed } = await soak(stage, { tasks: 42 * factor, every: 12 })
  expect(failed).toEqual([])
  const snapshots = path.join(stage.home.opencodeData, 'snapshot')
  const [first] = figures
  if (first === undefined) throw new Error('nothing was measured')
  for (const each of figures) {
    const about = JSON.stringify([first, each], null, 1)
    expect(each.daemon.pid, about).toBe(first.daemon.pid)
    expect(each.server.pid, about).toBe(first.server.pid)
    expect(each.daemon.handles, about).toBeLessThanOrEqual(first.daemon.handles + passing)
    expect(each.server.handles, about).toBeLessThanOrEqual(first.server.handles + passing)
    expect(each.counts['items'], about).toBeLessThanOrEqual(kept + between + underWay)
    expect(each.counts['transcripts'], about).toBeLessThanOrEqual(kept + between + 2 * underWay)
    expect(each.counts['sessions'], about).toBeLessThanOrEqual(2 + underWay)
    expect(each.counts['remembered'], about).toBeLessThanOrEqual(underWay)
    expect(each.counts['snapshots'], about).toBeLessThanOrEqual(underWay)
    expect(fs.existsSync(snapshots)).toBe(true)
    expect(each.counts['locks'], about).toBeLessThanOrEqual(between + 3 * underWay)
    expect(each.counts['ended'], about).toBeLessThanOrEqual(underWay)
    expect(each.counts['numbers'], about).toBeLessThanOrEqual(2)
  }
  await waitFor('the last slots', () => stage.slots().length === 0)
  const { counts } = figuresOf(stage, 0, 0)
  expect(counts).toMatchObject({ sessions: 2, ended: 0, numbers: 1, snapshots: 0, remembered: 0 })
})
