/** Fixture programs: small TypeScript programs under test/fixtures/programs that run in processes of their own. */
import { spawn, type ChildProcess } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { killQuietly } from './processes.ts'

const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

export interface ProgramRun {
  child: ChildProcess
  pid: number
  /** What it printed so far, both streams. */
  said: () => string
  /** How it ended: its exit code, or the signal. */
  ended: Promise<number | NodeJS.Signals>
  /** Ends its standard input, which is how the programs are told to go on or to finish. */
  go: () => void
}

export interface Program {
  /** Runs it; `config` is its one argument. With `output` it prints into that file descriptor instead; `env` is added to its own. */
  start: (config: object, output?: number, env?: Record<string, string>) => ProgramRun
  /** Kills all that still run and removes what was built. */
  remove: () => Promise<void>
}

/** Builds test/fixtures/programs/<name>.ts into a temporary directory: Node 20 runs no TypeScript. */
export async function buildProgram(name: string): Promise<Program> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-program-'))
  const file = path.join(directory, `${name}.mjs`)
  const bundle = await rolldown({
    input: path.join(projectRoot, 'test/fixtures/programs', `${name}.ts`),
    platform: 'node',
    external: ['better-sqlite3'],
    moduleTypes: { '.md': 'text' },
  })
  await bundle.write({ file, format: 'esm', codeSplitting: false })
  await bundle.close()
  const runs = new Set<ProgramRun>()
  return {
    start: (config, output, env) => {
      const run = start(file, config, output, env)
      runs.add(run)
      void run.ended.then(() => runs.delete(run))
      return run
    },
    remove: async () => {
      for (const { pid } of runs) killQuietly(pid)
      await Promise.all([...runs].map(({ ended }) => ended))
      fs.rmSync(directory, { recursive: true, force: true })
    },
  }
}

function start(
  file: string,
  config: object,
  output: number | undefined,
  env: Record<string, string> | undefined,
): ProgramRun {
  const child = spawn(process.execPath, [file, JSON.stringify(config)], {
    env: { PATH: process.env['PATH'], NODE_PATH: path.join(projectRoot, 'node_modules'), ...env },
    stdio: ['pipe', output ?? 'pipe', output ?? 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (said += text))
  child.stdin?.on('error', () => {}) // it may have ended
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'))
  })
  return { child, pid: child.pid ?? 0, said: () => said, ended, go: () => child.stdin?.end() }
}
