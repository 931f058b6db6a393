/** `npm run soak`: weeks of work in little time, and what they take. docs/reliability.md has its figures. */
import * as fs from 'node:fs'
import { parseArgs } from 'node:util'
import { setStage } from '../helpers/stage.ts'
import type { Figures } from './figures.ts'
import { soak } from './soak.ts'

const usage = `npm run soak -- [tasks] [--every <tasks>] [--json <file>]

As many short tasks as are wanted (1000) by real agents on the scripted model, three at a time, and what daemon, server
and home take meanwhile: memory (PSS), file handles, files and bytes on the disk.
`

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { every: { type: 'string' }, json: { type: 'string' }, help: { type: 'boolean', default: false } },
})
const tasks = Number(positionals[0] ?? 1000)
const every = Number(flags.every ?? Math.max(1, Math.round(tasks / 20)))
let interrupted = false

const columns = [
  'tasks',
  's',
  'daemon MB',
  'fd',
  'server MB',
  'fd',
  'state MB',
  'files',
  'mirror MB',
  'files',
  'opencode MB',
  'files',
]
const head = columns.map((name) => name.padStart(Math.max(6, name.length))).join(' ')

process.on('SIGINT', () => (interrupted = true))
process.on('SIGTERM', () => (interrupted = true))

if (flags.help || ![tasks, every].every((number) => Number.isSafeInteger(number) && number > 0)) {
  process.stdout.write(usage)
  process.exitCode = flags.help ? 0 : 1
} else await main()

async function main(): Promise<void> {
  const stage = await setStage({
    opencode: { snapshot: true }, // so that their removal is seen too
    config: { MAX_CONCURRENT_AGENTS: 3, WORKTREE_CHECK_PR_STATUS: 'false', QUEUE_KEEP_FINISHED: 200 },
  })
  try {
    await stage.ok(['queue-daemon', 'start'])
    print(head)
    const { figures, failed } = await soak(stage, {
      tasks,
      every,
      report: (each) => print(lineOf(each)),
      stop: () => interrupted,
    })
    print(`${failed.length} of ${figures.at(-1)?.tasks ?? 0} tasks did not end well`)
    for (const each of failed.slice(0, 20)) print(`  ${each}`)
    if (flags.json !== undefined) fs.writeFileSync(flags.json, JSON.stringify({ figures, failed }, undefined, 1))
    if (failed.length > 0) process.exitCode = 1
    await stage.ok(['queue-daemon', 'stop'])
  } finally {
    await stage.cleanup()
  }
}

function lineOf({ tasks, seconds, daemon, server, state, mirrors, opencode, counts }: Figures): string {
  const mb = (bytes: number) => (bytes / 1e6).toFixed(1)
  const cells = [
    tasks,
    seconds.toFixed(0),
    mb(daemon.memory),
    daemon.handles,
    mb(server.memory),
    server.handles,
    mb(state.bytes),
    state.files,
    mb(mirrors.bytes),
    mirrors.files,
    mb(opencode.bytes),
    opencode.files,
  ]
  const line = cells.map((cell, index) => String(cell).padStart(Math.max(6, columns[index]?.length ?? 0))).join(' ')
  const counted = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
  return `${line}  ${counted.join(', ')}`
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
