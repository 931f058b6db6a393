/** Text of strangers that would take over a terminal, in every place from which kugetsu prints. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { callKugetsu } from '../helpers/command-line.ts'
import { issue, makeFullHome, queueIds, stateFiles } from './full-home.ts'

/** Clears the screen, sets the title, asks the terminal to answer, goes back in the line, turns the text around, hides some. */
const hostile =
  '\u001b[2J\u001b]0;owned\u0007\u001b[6n\r\u0008\u009b31m\u202egnp.exe\u2066\u200b\u2028\nError: a line of its own\u0000'
const env = { PATH: '/usr/bin:/bin', HOME: '/nowhere' }

let home: string
beforeAll(() => {
  home = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'kg-hostile-'))
  makeFullHome(home)
  for (const { name } of stateFiles) {
    const file = path.join(home, name)
    if (name.endsWith('.log')) fs.appendFileSync(file, `${hostile}\n`)
    if (!/^(sessions|queue.items|context|servers|slots.*slot|opencode.server)/.test(name)) continue
    const value: unknown = JSON.parse(fs.readFileSync(file, 'utf8'))
    fs.writeFileSync(file, JSON.stringify(poisoned(value, name)))
  }
})
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))

/** Every text in it made hostile, save those that have to be what they are. */
function poisoned(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((each) => poisoned(each, key))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, poisoned(each, name)]))
  }
  const kept =
    /^(id|kind|slot|session|state|url|default|opencode_session_id|queue_item|server|boot_id|pid_namespace|start_time|type)$/
  if (typeof value !== 'string' || kept.test(key)) return value
  return key === 'issue_ref' ? value : `${value}${hostile}`
}

it.each(
  [
    ['list'],
    ['list', '--all'],
    ['status'],
    ['queue', 'list'],
    ['queue', 'stats'],
    ...queueIds.map((id) => ['queue', 'show', id]),
    ['server', 'list'],
    ['context', issue(1)],
    ['logs', issue(1)],
    ['logs'],
    ['queue-daemon', 'logs'],
    ['queue', 'show', 'q_HOSTILE'],
    ['start', 'xHOSTILE', 'message'],
    ['server', 'get', 'HOSTILE'],
  ].map((words) => [words.join(' '), words] as const),
)('%s', async (_, words) => {
  const args = words.map((word) => word.replace('HOSTILE', hostile))
  const { code, out, err } = await callKugetsu(home, args, env)
  const said = out + err
  expect(said).not.toMatch(
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2028\u2066-\u2069]/,
  )
  expect(said.length).toBeGreaterThan(0)
  // Logs, tasks and what is remembered have lines of their own; an error is one.
  const mayHaveLines = /logs|show|context/.test(args.join(' '))
  expect(mayHaveLines || (said.match(/^Error: /gm)?.length ?? 0) === (code === 0 ? 0 : 1), said).toBe(true)
})
