/** The benchmark: kugetsu beside what a person would use instead. docs/performance.md explains what it measures. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { parseArgs } from 'node:util'
import { figureOf, type Bench, type Figure, type Row } from './bench.ts'
import { opencode1Program } from '../helpers/opencode.ts'
import { opencode2Program, setup as installOpencode2 } from '../helpers/opencode-2.ts'
import { backlog } from './backlog.ts'
import { binary } from './binary.ts'
import { commands } from './commands.ts'
import { daemon } from './daemon.ts'
import { dispatch } from './dispatch.ts'
import { drain } from './drain.ts'
import { enqueue } from './enqueue.ts'
import { serveLargeRepository } from './large-remote.ts'
import { memory } from './memory.ts'
import { opencodes } from './opencodes.ts'
import { projectRoot } from './paths.ts'
import { head, line } from './report.ts'
import { start } from './start.ts'
import { worktrees } from './worktrees.ts'

const rows: Row[] = [start, memory, opencodes, worktrees, enqueue, dispatch, commands, daemon, backlog, drain, binary]

const usage = `npm run bench -- [options]

  --only <name>    that row alone; may be given again
  --rounds <n>     samples of each figure (each has its own default)
  --quick          fewer samples and no large ones, under two minutes
  --json <file>    write everything that was measured, sample by sample
  --list           the rows

Rows in which opencode matters are measured with opencode 1 and with opencode 2, or
with the one that KUGETSU_OPENCODE names. The others run opencode 1.
It fails on nothing: a figure that misses its limit is marked, a row that cannot be
measured says why. Leave the machine alone while it runs.
`

interface Measured {
  name: string
  title: string
  figures: Figure[]
  notes: string[]
  seconds: number
  error?: string
}

await serveLargeRepository(process.argv.slice(2))

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const programs = await programsToMeasure()
const cleanUps: (() => unknown)[] = []
let interrupted = false

process.on('SIGINT', () => {
  interrupted = true
  print('\ninterrupted\n')
  void cleanUp().then(() => process.exit(130))
})

await main()

async function main(): Promise<void> {
  if (flags.help) return print(usage)
  if (flags.list) return print(rows.map(({ name, title }) => `${name.padEnd(12)}${title}\n`).join(''))
  const chosen = rows.filter(({ name }) => flags.only === undefined || flags.only.includes(name))
  const unknown = flags.only?.filter((name) => !rows.some((row) => row.name === name)) ?? []
  const rounds = flags.rounds === undefined ? undefined : Number(flags.rounds)
  if (unknown.length > 0 || (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))) {
    print(unknown.length > 0 ? `no such row: ${unknown.join(', ')}\n\n${usage}` : usage)
    process.exitCode = 1
    return
  }
  const about = machine()
  print(`kugetsu ${about.kugetsu} on ${about.system}; Node ${about.node}, opencode ${about.opencode}, ${about.git}\n`)
  const measured: Measured[] = []
  for (const row of chosen) {
    for (const program of row.onBoth === true ? programs : programs.slice(0, 1)) {
      if (!interrupted) measured.push(await measure(row, program, rounds))
    }
  }
  if (interrupted) return
  const figures = measured.flatMap((row) => row.figures).filter(({ within }) => within !== undefined)
  const within = figures.filter((figure) => figure.within)
  print(
    `\n${within.length} of ${figures.length} figures within the limit; load average ${load()} (was ${about.load})\n`,
  )
  if (flags.json !== undefined) {
    fs.writeFileSync(flags.json, `${JSON.stringify({ ...about, rows: measured }, undefined, 1)}\n`)
  }
}

/** The one that KUGETSU_OPENCODE names, else opencode 1, and opencode 2 where there is one. */
async function programsToMeasure(): Promise<string[]> {
  const given = process.env['KUGETSU_OPENCODE']
  if (given) return [given]
  await installOpencode2()
  const second = opencode2Program()
  return [opencode1Program, ...('program' in second ? [second.program] : [])]
}

async function measure(row: Row, program: string, rounds: number | undefined): Promise<Measured> {
  process.env['KUGETSU_OPENCODE'] = program // read by the helpers that make a home
  const version = versionOf(program)
  const title = row.onBoth === true ? `${row.title}; opencode ${version}` : row.title
  const measured: Measured = { name: row.name, title, figures: [], notes: [], seconds: 0 }
  const from = performance.now()
  const bench: Bench = {
    rounds: (usual) => rounds ?? (flags.quick ? Math.max(1, Math.ceil(usual / 4)) : usual),
    quick: flags.quick,
    opencode: version.startsWith('2.') ? 2 : 1,
    figure: (what, taken) => {
      const figure = figureOf(what, taken)
      print(line(figure, measured.figures.at(-1)))
      measured.figures.push(figure)
    },
    note: (text) => {
      measured.notes.push(text)
      print(`  ${text}\n`)
    },
    doing: (text) => {
      if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K  … ${text}`)
    },
    afterwards: (cleanUp) => cleanUps.push(cleanUp),
  }
  print(head(row.name, title))
  try {
    await row.run(bench)
  } catch (error) {
    measured.error = error instanceof Error ? (error.stack ?? error.message) : String(error)
    if (!interrupted) print(`  not measured: ${measured.error}\n`)
  }
  await cleanUp()
  measured.seconds = Math.round((performance.now() - from) / 1000)
  return measured
}

async function cleanUp(): Promise<void> {
  for (let next = cleanUps.pop(); next !== undefined; next = cleanUps.pop()) {
    try {
      await next()
    } catch (error) {
      print(`  could not clean up: ${String(error)}\n`)
    }
  }
}

/** What `--version` prints, without the word that some programs put in front of it. */
function versionOf(program: string): string {
  return execFileSync(program, ['--version'], { encoding: 'utf8' })
    .trim()
    .replace(/^opencode v?/, '')
}

function machine() {
  const { version } = JSON.parse(fs.readFileSync(path.join(projectRoot, 'package.json'), 'utf8')) as { version: string }
  const [cpu] = os.cpus()
  const gigabytes = Math.round(os.totalmem() / 2 ** 30)
  return {
    date: new Date().toISOString(),
    kugetsu: version,
    system: `${os.cpus().length} × ${cpu?.model.trim() ?? os.arch()}, ${gigabytes} GB, ${os.type()} ${os.release()}`,
    node: process.version,
    opencode: programs.map(versionOf).join(' and '),
    git: versionOf('git'),
    load: load(),
    quick: flags.quick,
  }
}

function load(): string {
  return (os.loadavg()[0] ?? 0).toFixed(1)
}

function print(text: string): void {
  process.stdout.write(process.stdout.isTTY ? `\r\u001b[K${text}` : text)
}
