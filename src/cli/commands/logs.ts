import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KugetsuError } from '../../core/errors.ts'
import { formatRef } from '../../core/issue-ref.ts'
import { supervisionOf } from '../../daemon/control.ts'
import { listDirectory, readText, removeFile } from '../../platform/files.ts'
import { readSession } from '../../sessions/store.ts'
import type { Context } from '../context.ts'
import { age, printJson, table } from '../output.ts'
import { trackedSession } from '../refs.ts'

const keptDays = 7
const lookMs = 100

export interface LogsOptions {
  what?: string | undefined
  follow?: boolean
  json?: boolean
}

export async function runLogs(context: Context, options: LogsOptions): Promise<void> {
  const { what = '10' } = options
  if (/^\d+$/.test(what)) return delegationLogs(context, Number(what), options)
  const { ref, name, record } = await trackedSession(context, what)
  const file = context.paths.transcript(record.opencode_session_id ?? '')
  if (options.follow !== true) {
    const text = readText(file)
    if (options.json === true) return printJson(context, { issue_ref: formatRef(ref), file, text: text ?? null })
    if (text === undefined) {
      throw new KugetsuError(`no transcript of ${formatRef(ref)} yet`, {
        hint: `It begins when the agent does: kugetsu logs -f ${formatRef(ref)}`,
        code: 'no_transcript',
      })
    }
    return context.io.out(text)
  }
  await follow(context, name, file, (text) =>
    context.io.out(options.json === true ? `${JSON.stringify({ issue_ref: formatRef(ref), text })}\n` : text),
  )
}

/** Prints a transcript as it grows, until no agent is at work on it any more and all is printed. */
async function follow(context: Context, name: string, file: string, print: (text: string) => void): Promise<void> {
  if (readSession(context, name)?.run) await supervisionOf(context).wake()
  const decoder = new TextDecoder()
  let offset = 0
  for (let last = false; ;) {
    const ended = !readSession(context, name)?.run
    const bytes = readFrom(file, offset)
    offset += bytes.length
    if (bytes.length > 0) print(decoder.decode(bytes, { stream: true }))
    // The end of the run is on file a moment before its last lines are, so look once more.
    if (ended && bytes.length === 0) {
      if (last) return
      last = true
    } else last = false
    await sleep(last ? lookMs * 3 : lookMs, undefined, { signal: context.signal })
  }
}

function readFrom(file: string, offset: number): Buffer {
  let descriptor: number
  try {
    descriptor = fs.openSync(file, 'r')
  } catch {
    return Buffer.alloc(0)
  }
  try {
    const buffer = Buffer.alloc(Math.max(0, fs.fstatSync(descriptor).size - offset))
    return buffer.subarray(0, fs.readSync(descriptor, buffer, 0, buffer.length, offset))
  } finally {
    fs.closeSync(descriptor)
  }
}

/** The last `count` delegation logs; those over a week old are removed. */
function delegationLogs(context: Context, count: number, options: LogsOptions): void {
  const logs = listDirectory(context.paths.logs)
    .filter((name) => /^delegate-.*\.log$/.test(name))
    .map((name) => ({ name, modified: fs.statSync(path.join(context.paths.logs, name)).mtime }))
    .filter(({ name, modified }) => {
      const old = context.now().getTime() - modified.getTime() > keptDays * 86_400_000
      if (old) removeFile(path.join(context.paths.logs, name))
      return !old
    })
    .sort((a, b) => a.modified.getTime() - b.modified.getTime())
    .slice(-count || Number.MAX_SAFE_INTEGER)
  const shown = count === 0 ? [] : logs
  if (options.json === true) {
    return printJson(
      context,
      shown.map(({ name, modified }) => ({
        file: path.join(context.paths.logs, name),
        modified: modified.toISOString(),
      })),
    )
  }
  if (shown.length === 0) return context.io.out('No delegation logs. For an agent: kugetsu logs <issue-ref>\n')
  context.io.out(
    table(
      ['LOG', 'AGE'],
      shown.map(({ name, modified }) => [name, age(modified.toISOString(), context.now())]),
    ),
  )
}
