/** What the user does beside kugetsu with an opencode 2 of their own, and how they log agents in. */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSqlite } from '../../src/platform/sqlite.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { commandLines, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { ctrlC, hasTerminals, openTerminal } from '../helpers/terminal.ts'

const found = opencode2Program()
const why = 'why' in found ? ` (${found.why})` : ''
const secret = 'sk-typed-by-hand-4711'

describe.skipIf(why !== '')(`beside kugetsu, opencode 2.0.15${why}`, () => {
  let stage: Stage
  const program = 'program' in found ? found.program : ''
  const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
  const logins = (file: string) => {
    const database = openSqlite(file, { timeoutMs: 5_000, readonly: true })
    try {
      return database.all('SELECT integration_id, value FROM credential ORDER BY time_created')
    } finally {
      database.close()
    }
  }

  beforeAll(async () => {
    stage = await setStage({ init: false, program })
    // Theirs, for all that they run themselves.
    stage.home.env['OPENCODE_DB'] = path.join(stage.home.root, 'mine.db')
    await stage.ok(['init'])
  })
  afterAll(() => stage?.cleanup())

  it.skipIf(!hasTerminals)(
    'login asks for a key, which is in the database of the agents and nowhere else',
    async () => {
      const terminal = openTerminal(stage.home, ['login', 'anthropic'])
      const processes: string[] = []
      try {
        await terminal.until(/Enter your Anthropic API key/)
        terminal.type(secret)
        await terminal.until(/▪{8}/)
        processes.push(...commandLines())
        terminal.type('\r')
        expect(await terminal.ended).toBe(0)
      } finally {
        terminal.close()
      }
      const store = at('opencode', 'opencode2.db')
      expect(logins(store)).toEqual([
        { integration_id: 'anthropic', value: JSON.stringify({ type: 'key', key: secret }) },
      ])
      expect([terminal.shown(), ...processes, ...commandLines()].filter((text) => text.includes(secret))).toEqual([])
      const holding = fs
        .readdirSync(stage.home.root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath, entry.name))
        .filter((file) => fs.readFileSync(file).includes(secret))
      expect(holding.filter((file) => ![store, `${store}-wal`].includes(file))).toEqual([])
      expect(fs.existsSync(stage.home.env['OPENCODE_DB'] ?? '')).toBe(false)
    },
  )

  it.skipIf(!hasTerminals)('login needs a provider that is there, and can be left', async () => {
    const none = openTerminal(stage.home, ['login', 'no-such-provider'])
    expect(await none.ended).toBe(1)
    expect(none.shown()).toMatch(/Integration not found: no-such-provider[^]*Error: opencode auth login ended with 1/)
    const left = openTerminal(stage.home, ['login', 'anthropic'])
    await left.until(/Enter your Anthropic API key/)
    left.type(ctrlC)
    expect(await left.ended).toBe(130)
    expect(left.shown()).toContain('Cancelled')
  })

  it('their own interface, service and upgrade leave an agent at work alone', async () => {
    await stage.ok(['start', ref(1), 'GATE=one BASH{{echo one >> one.txt}} SAY{{Ended.}}'])
    await stage.model.turn('GATE=one')
    const server = stage.server()
    const theirs = (args: string[]) =>
      spawnSync(program, args, { cwd: stage.worktree(1), env: stage.home.env, encoding: 'utf8', timeout: 60_000 })
    try {
      if (hasTerminals) {
        const terminal = openTerminal(stage.home, [], 100, { command: [program], cwd: stage.worktree(1) })
        await terminal.until(/Ask anything|ctrl\+p|tab agents/i)
        terminal.type(ctrlC)
        terminal.type(ctrlC)
        await terminal.ended
        terminal.close()
      }
      // It cannot tell how this program came here; one that is replaced: server.test.ts.
      expect(theirs(['upgrade']).status).toBe(1)
      theirs(['service', 'start'])
      expect(theirs(['api', 'get', '/api/session/active']).stdout.trim()).toBe('{"data":{}}')
    } finally {
      theirs(['service', 'stop'])
    }
    stage.model.release('one')
    await stage.ok(['wait', ref(1)])
    expect(stage.server()).toEqual(server)
    expect(fs.readFileSync(path.join(stage.worktree(1), 'one.txt'), 'utf8')).toBe('one\n')
    expect(await stage.ok(['logs', ref(1)])).toContain('Ended.')
    expect(fs.existsSync(stage.home.env['OPENCODE_DB'] ?? '')).toBe(true)
  })

  it('leaves no process behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})
