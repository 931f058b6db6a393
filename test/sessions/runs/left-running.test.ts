import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endProcessesOf, processesOf, processesWithoutIssue } from '../../../src/sessions/runs/left-running.ts'
import { endProcesses } from '../../../src/platform/end-processes.ts'
import { commandLineOf, processTable } from '../../../src/platform/process-table.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'
import { waitFor } from '../../helpers/wait-for.ts'

const issueRef = 'forge.test/me/app#1'

let home: ServiceHome
let worktree: string
const children: ChildProcess[] = []

beforeEach(() => {
  home = createServiceHome()
  worktree = path.join(home.paths.worktrees, 'forge.test-me-app-1')
  fs.mkdirSync(path.join(worktree, 'src'), { recursive: true })
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await ended
  }
  home.cleanup()
})

/** What the opencode server has in its environment, and a command of the issue's agent besides. */
const ofServer = () => ({ KUGETSU_DIR: home.paths.home, KUGETSU_SERVER: 'the-marker' })
const ofAgent = (ref = issueRef) => ({ ...ofServer(), KUGETSU_AGENT: 'dev', KUGETSU_ISSUE_REF: ref })

/** Starts a program with these variables alone, and resolves once it is that program. */
async function start(
  env: Record<string, string>,
  command: readonly [string, ...string[]] = ['sleep', '600'],
  cwd = home.paths.home,
): Promise<number> {
  const [program, ...args] = command
  const child = spawn(program, args, { env: { PATH: process.env['PATH'] ?? '', ...env }, cwd, stdio: 'ignore' })
  children.push(child)
  const pid = child.pid ?? 0
  await waitFor('the program', () => commandLineOf(pid).startsWith(program))
  return pid
}

const childOf = (pid: number, command: string) =>
  waitFor(`a child of ${pid}`, () =>
    processTable().find(({ pid: own, parent }) => parent === pid && commandLineOf(own) === command),
  )

describe.runIf(process.platform === 'linux')('the processes of an issue', () => {
  it('are those that its agent started, and their children whatever variables they dropped', async () => {
    const own = await start(ofAgent(), ['bash', '-c', 'env -i sleep 601 & wait'])
    const bare = await childOf(own, 'sleep 601')
    const others = [
      await start(ofAgent('forge.test/me/app#2')),
      await start({ ...ofAgent(), KUGETSU_DIR: '/elsewhere' }),
      await start({ ...ofServer(), KUGETSU_AGENT: 'pm-agent' }, ['sleep', '602'], worktree),
      await start({ ...ofAgent(), KUGETSU_TERMINAL: '1' }),
      await start({ KUGETSU_DIR: home.paths.home, KUGETSU_ISSUE_REF: issueRef }), // a person's kugetsu
      await start(ofServer()), // the opencode server
    ]
    expect(processesOf(home, { issueRef, worktree }).sort()).toEqual([own, bare.pid].sort())
    expect(processesOf(home, { issueRef: 'forge.test/me/app#2' })).toEqual([others[0]])
  })

  it('are also those that opencode started in its worktree, but for those of another issue', async () => {
    const language = await start(ofServer(), ['sleep', '603'], path.join(worktree, 'src'))
    await start(ofAgent('forge.test/me/app#2'), ['sleep', '604'], worktree)
    expect(processesOf(home, { issueRef })).toEqual([])
    expect(processesOf(home, { issueRef, worktree })).toEqual([language])
    fs.symlinkSync(home.paths.worktrees, path.join(home.paths.home, 'link'))
    expect(processesOf(home, { worktree: path.join(home.paths.home, 'link', path.basename(worktree)) })).toEqual([
      language,
    ])
  })

  it('are ended, and named with their command and without secrets', async () => {
    home.env = { ...home.env, MY_TOKEN: 'a-very-secret-value' }
    const pid = await start(ofAgent(), ['bash', '-c', 'sleep 605; : a-very-secret-value'])
    const child = await childOf(pid, 'sleep 605')
    const ended = await endProcessesOf(home, { issueRef })
    expect(ended.join('\n')).toContain(`(pid ${pid})`)
    expect(ended.join('\n')).not.toContain('a-very-secret-value')
    expect([pid, child.pid].map(commandLineOf)).toEqual(['', ''])
    expect(home.warnings).toEqual([])
  })

  it('are known to be left over once there is no such issue', async () => {
    const pid = await start(ofAgent())
    expect(processesWithoutIssue(home, new Set())).toEqual([{ pid, issueRef }])
    expect(processesWithoutIssue(home, new Set([issueRef]))).toEqual([])
  })
})

describe.runIf(process.platform === 'linux')('a process that is to end', () => {
  it('is killed when it does not do so by itself, also when it is suspended or starts another', async () => {
    const trap = 'trap "env -i sleep 606 &" TERM; while :; do sleep 0.05; done'
    const stubborn = await start({}, ['bash', '-c', trap])
    const suspended = await start({}, ['sleep', '607'])
    process.kill(suspended, 'SIGSTOP')
    await waitFor('the loop', () => processTable().some(({ parent }) => parent === stubborn))
    const find = () => [
      stubborn,
      suspended,
      ...processTable().flatMap(({ pid, parent }) => (parent === stubborn ? [pid] : [])),
    ]
    const { gone, left } = await endProcesses(find, 300)
    expect(left).toEqual([])
    expect(gone).toEqual(expect.arrayContaining([stubborn, suspended]))
    expect(processTable().map(({ pid }) => commandLineOf(pid))).not.toContain('sleep 606')
  })
})
