/**
 * Runs a command of the PM agent: each call by its words, without a shell. The files of a call are checked right before
 * it is made. git, and the programs that call git, run no program that a repository names.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { walled } from '../../worktrees/walled.ts'
import { judge, type Judged, type JudgedPipeline } from './judge.ts'
import { isWithin } from '../../platform/within.ts'
import { directoriesLeftOut, leftOut, realPath, unopenable, unreadable } from './room.ts'
import { isExecutable } from '../../platform/executable.ts'

export interface Surroundings {
  home: Home
  cwd: string
  /** Tells the PM agent something, as a line on standard error. */
  tell: (text: string) => void
}

/** The exit codes of a shell for "not allowed" and "not found". */
const refusedCode = 126
const notFoundCode = 127

/** Options added to every call: git runs no program from its configuration, and enters no submodule. */
const added: Record<string, string[]> = {
  log: ['--no-ext-diff', '--no-textconv', '--ignore-submodules=all', '--submodule=short'],
  show: ['--no-ext-diff', '--no-textconv', '--ignore-submodules=all', '--submodule=short'],
  diff: ['--no-ext-diff', '--no-textconv', '--ignore-submodules=all', '--submodule=short'],
  status: ['--ignore-submodules=all'],
  blame: ['--no-textconv'],
}

/** Runs `command` and returns its exit code. Refused parts are not run, and the PM agent is told. */
export async function runPmCommand(command: string, { home, cwd, tell }: Surroundings): Promise<number> {
  const judged = judge(command)
  if ('problem' in judged) {
    tell(`kugetsu refused this command, and nothing of it was run: ${judged.problem}.`)
    return refusedCode
  }
  const place = { home, cwd, tell }
  let code = 0
  for (const pipeline of judged.pipelines) {
    if ((pipeline.after === '&&' && code !== 0) || (pipeline.after === '||' && code === 0)) continue
    code = await runPipeline(pipeline, place)
    if (code === refusedCode) return code
  }
  return code
}

async function runPipeline({ calls }: JudgedPipeline, place: Surroundings): Promise<number> {
  const problem =
    unreadable(place.home.paths.home, '.', place.cwd) ?? calls.map((call) => problemOf(call, place)).find(Boolean)
  if (problem !== undefined) {
    place.tell(`kugetsu refused this, and nothing behind it was run: ${problem}.`)
    return refusedCode
  }
  const [first] = calls
  if (first?.program === 'cd') return changeDirectory(first, place)
  const prepared = await Promise.all(calls.map((call) => prepare(call, place)))
  const refused = prepared.find((each) => 'problem' in each)
  if (refused !== undefined) {
    place.tell(`kugetsu: ${refused.problem}`)
    return refused.code
  }
  return spawnAll(
    calls,
    prepared.filter((each) => 'program' in each),
    place,
  )
}

function problemOf(call: Judged, { home, cwd }: Surroundings): string | undefined {
  const look = (file: string) =>
    call.program === 'git' || call.program === 'cd'
      ? unreadable(home.paths.home, file, cwd)
      : unopenable(home.paths.home, file, cwd, call.recursive)
  return call.files.map(look).find((each) => each !== undefined)
}

function changeDirectory({ files }: Judged, place: Surroundings): number {
  const directory = path.resolve(place.cwd, files[0] ?? '')
  if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) {
    place.cwd = realPath(directory)
    return 0
  }
  place.tell(`cd: ${files[0]}: there is no such directory`)
  return 1
}

interface Prepared {
  program: string
  args: string[]
  env: NodeJS.ProcessEnv
}

/** The program, arguments and environment for a call, with kugetsu's additions. */
async function prepare(call: Judged, place: Surroundings): Promise<Prepared | { problem: string; code: number }> {
  const { home, cwd } = place
  const env = { ...home.env, PATH: searchPath(home).join(path.delimiter) }
  const args = [...call.subcommand, ...call.rest]
  if (call.program === 'kugetsu') {
    const [program, ...first] = home.self
    return { program, args: [...first, ...args], env: home.env }
  }
  const program = programAt(call.program, home)
  if (program === undefined) return { problem: `${call.program} is not installed here`, code: notFoundCode }
  if (call.program === 'git') {
    const wall = await walled({ cwd, env, ceilings: [home.paths.worktrees, home.paths.home] })
    if (wall.root === undefined || !isWithin(realPath(home.paths.worktrees), realPath(wall.root))) {
      return { problem: `there is no worktree at ${cwd}: put "cd <worktree> &&" before git`, code: 1 }
    }
    const [name = ''] = call.subcommand
    const words = [...call.subcommand, ...(added[name] ?? []), ...call.rest]
    return { program, args: ['--no-pager', ...words], env: wall.env }
  }
  if (['gh', 'glab', 'tea'].includes(call.program)) {
    const wall = await walled({ cwd, env, ceilings: [home.paths.worktrees, home.paths.home] })
    return { program, args, env: { ...wall.env, PAGER: 'cat', GH_PAGER: 'cat', GLAB_PAGER: 'cat', BROWSER: 'true' } }
  }
  return { program, args: call.recursive ? withoutSecrets(args) : args, env: bare(env) }
}

/** Puts the exclusions last: grep's last matching option decides, so no option of the call can undo them. */
function withoutSecrets(args: string[]): string[] {
  const options = [
    ...leftOut.map((pattern) => `--exclude=${pattern}`),
    ...directoriesLeftOut.map((pattern) => `--exclude-dir=${pattern}`),
  ]
  const end = args.indexOf('--')
  return end === -1 ? [...args, ...options] : args.toSpliced(end, 0, ...options)
}

/** A minimal environment, for programs that need no secrets. */
function bare(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => /^(?:PATH|LANG|LC_\w+|TERM)$/.test(name)))
}

function programAt(name: string, home: Home): string | undefined {
  return searchPath(home)
    .map((directory) => path.join(directory, name))
    .find((file) => !isWithin(realPath(home.paths.worktrees), realPath(file)) && isExecutable(file))
}

/** The user's PATH, without directories where a repository could have put a program. */
function searchPath({ env, paths }: Home): string[] {
  const worktrees = realPath(paths.worktrees)
  return (env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((directory) => path.isAbsolute(directory) && !isWithin(worktrees, realPath(directory)))
}

/** Starts the calls of a pipe, last one first, because each writes to the next one's input. Returns the last exit code. */
async function spawnAll(calls: Judged[], prepared: Prepared[], { cwd, tell }: Surroundings): Promise<number> {
  let next: ChildProcess | undefined
  const ended: Promise<number>[] = []
  for (let at = calls.length - 1; at >= 0; at--) {
    const call = calls[at]
    const what = prepared[at]
    if (call === undefined || what === undefined) break
    const targets = { out: next?.stdin ?? 1, err: 2, nowhere: 'ignore' } as const
    const input = at > 0 || call.input !== undefined ? 'pipe' : 'ignore'
    const stdio: StdioOptions = [input, targets[call.out], targets[call.err]]
    const child = spawn(what.program, what.args, { cwd, env: what.env, stdio })
    ended.unshift(endOf(child, call.program, tell))
    // The child has its own copy of this pipe. Ours is closed, so that the next call sees the end of its input.
    next?.stdin?.destroy()
    if (call.input !== undefined) {
      child.stdin?.on('error', () => {}) // the call may end without reading its input
      child.stdin?.end(call.input)
    }
    next = child
  }
  const codes = await Promise.all(ended)
  return codes.at(-1) ?? 0
}

function endOf(child: ChildProcess, name: string, tell: (text: string) => void): Promise<number> {
  return new Promise((resolve) => {
    child.on('error', (error) => {
      tell(`kugetsu: ${name} cannot be started: ${error.message}`)
      resolve(refusedCode)
    })
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGPIPE' ? 141 : 143)))
  })
}
