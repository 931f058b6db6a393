/**
 * Weeks of work in little time: many short tasks by real agents on the scripted model, in a home whose daemon and server
 * run all the while. Each issue gets a few tasks, then its branch is merged away on the remote and it is destroyed.
 */
import { execFileSync } from 'node:child_process'
import { pathsOf } from '../../src/config/paths.ts'
import { openQueue } from '../../src/queue/file-queue.ts'
import { isFinished } from '../../src/queue/transitions.ts'
import type { Item } from '../../src/queue/item.ts'
import { askDaemon } from '../../src/daemon/socket.ts'
import { bareHome } from '../helpers/bare-home.ts'
import { ref, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'
import { figuresOf, type Figures } from './figures.ts'

/** As a person gives an issue its task, a remark and a review. */
const tasksPerIssue = 3
/** So many issues are under way at once: as many as there are slots work, the others wait. */
const lanes = 4
/** Every so many issues leave what nobody has pushed, and are destroyed with --force. */
const unpushedEvery = 10

export interface SoakOptions {
  tasks: number
  /** How often to take figures, in tasks. */
  every: number
  /** Told of the figures as they are taken. */
  report?: (figures: Figures) => void
  /** Ends it early, after the issues that are under way. */
  stop?: () => boolean
}

export interface Soaked {
  figures: Figures[]
  /** Tasks that did not end as completed, each with its error. */
  failed: string[]
}

/** Runs the tasks on a stage whose daemon takes tasks from the queue. */
export async function soak(stage: Stage, { tasks, every, report, stop }: SoakOptions): Promise<Soaked> {
  const home = { ...bareHome(stage.home.kugetsuDir), paths: pathsOf(stage.home.kugetsuDir) }
  const queue = openQueue(home)
  const from = performance.now()
  const soaked: Soaked = { figures: [], failed: [] }
  let issues = 0
  let ended = 0

  async function doTask(issue: number, message: string): Promise<void> {
    const { id } = await queue.add({ issue_ref: ref(issue), message })
    await askDaemon(home, { do: 'wake' })
    const item = await waitFor(`the end of ${id}`, async () => finishedOrGone(await queue.get(id)))
    if (item !== 'gone' && item.state !== 'completed') soaked.failed.push(`${id}: ${item.error}`)
    ended += 1
    if (ended % every !== 0) return
    const figures = figuresOf(stage, ended, (performance.now() - from) / 1000)
    soaked.figures.push(figures)
    report?.(figures)
  }

  async function doIssue(): Promise<void> {
    const issue = ++issues
    for (let task = 1; task <= tasksPerIssue; task++) {
      await doTask(issue, `BASH{{${work(task)}}} SAY{{task ${task} of issue ${issue} is done}}`)
    }
    if (issue % unpushedEvery === 0) {
      await doTask(issue, 'BASH{{echo more > unpushed.txt}} SAY{{not pushed}}')
      await stage.ok(['destroy', ref(issue), '-y', '--force'])
    } else await stage.ok(['destroy', ref(issue), '-y'])
    // As a forge does when the pull request is merged.
    const branch = `refs/heads/fix/issue-${issue}`
    execFileSync('git', ['update-ref', '-d', branch], { cwd: stage.git.pathOf('me/app'), env: stage.home.env })
  }

  async function lane(): Promise<void> {
    while (issues * tasksPerIssue < tasks && stop?.() !== true) await doIssue()
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return soaked
}

function work(task: number): string {
  const commit = `git add -A && git commit -qm "step ${task}" && git push -q origin HEAD`
  return `seq ${task * 1000} > work.txt && ${commit}`
}

/** What has ended may have been cleared away by the time that somebody looks. */
function finishedOrGone(item: Item | undefined): Item | 'gone' | undefined {
  if (item === undefined) return 'gone'
  return isFinished(item) ? item : undefined
}
