/** What the PM agent's shell may run, through the hooks of the plugins of both opencodes. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { judge } from '../../src/agents/pm-shell/judge.ts'
import { pmShellCall } from '../../src/core/pm-shell.ts'
import { KugetsuEnvironment } from '../../src/plugin/plugin.ts'
import commands from '../fixtures/pm-commands.json' with { type: 'json' }
import { hooksOf } from '../helpers/plugin-2.ts'
import { createRandom } from '../helpers/random.ts'

const before = process.env['KUGETSU_DIR']
const home = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'fence-')))
beforeAll(() => {
  fs.mkdirSync(path.join(home, 'sessions'))
  fs.writeFileSync(path.join(home, 'sessions', 'pm-agent.json'), '{"type":"pm_agent","opencode_session_id":"ses_pm"}')
  process.env['KUGETSU_DIR'] = home
})
afterAll(() => {
  if (before === undefined) delete process.env['KUGETSU_DIR']
  else process.env['KUGETSU_DIR'] = before
  fs.rmSync(home, { recursive: true })
})

/** Runs the hook before a command of the PM agent. Returns the command that opencode's shell gets; throws its refusal. */
const forms: Record<string, (command: string) => Promise<unknown>> = {
  'opencode 1': async (command) => {
    const args = { command }
    await (await KugetsuEnvironment())['tool.execute.before']({ tool: 'bash', sessionID: 'ses_pm' }, { args })
    return args.command
  },
  'opencode 2': async (command) => {
    const input = { command }
    ;(await hooksOf(home)).before({ tool: 'shell', sessionID: 'ses_pm', id: 'call_1', input })
    return input.command
  },
}

const signs = ['\n', '\\', '"', "'", '`', '$(', ')', '${', '}', '>', '<<', '<', '|', '&', ';', '#', '*', '~', ' ', '\0']
const programs = ['kugetsu list', 'git log', 'cat x', 'touch y', 'A=b', '--output=z', 'cd', 'é', '\u00a0']

/** Allowed and refused commands, cut into each other at random; a third of them are two allowed ones. */
function mixtures(count: number): string[] {
  const random = createRandom(17)
  const all = [...commands.allowed, ...commands.refused, ...commands.outside]
  return Array.from({ length: count }, () => {
    const ends = [random.pick(commands.allowed), random.pick(commands.allowed)]
    if (random.below(3) === 0) return ends.join(random.pick([' && ', '; ', ' | ', '\n', ' ', ...signs]))
    const [one, other] = [random.pick(all), random.pick(all)]
    const parts = [one.slice(0, random.below(one.length + 1)), random.pick(signs), random.pick(programs)]
    return [...parts, random.pick(signs), other.slice(random.below(other.length + 1))].join('')
  })
}

describe.each(Object.entries(forms))('on %s', (_, given) => {
  /** What the shell gets of a command; undefined when it is refused. */
  const got = (command: string) =>
    given(command).catch((error: Error) => {
      expect([command, error.message]).toEqual([
        command,
        expect.stringMatching(/^kugetsu refused this command, and no/),
      ])
      return undefined
    })

  test('hands over what is allowed, as one word for kugetsu', async () => {
    for (const command of [...commands.allowed, ...commands.outside]) {
      expect([command, await got(command)]).toEqual([command, pmShellCall(command)])
    }
  })

  test('refuses the rest', async () => {
    for (const command of commands.refused) expect([command, await got(command)]).toEqual([command, undefined])
  })

  test('gives the shell one word or nothing, whatever the command is', async () => {
    let handed = 0
    for (const command of mixtures(2_000)) {
      const isTaken = 'pipelines' in judge(command)
      expect([command, await got(command)]).toEqual([command, isTaken ? pmShellCall(command) : undefined])
      if (isTaken) handed++
    }
    expect(handed).toBeGreaterThan(200)
    expect(handed).toBeLessThan(1_800)
  })
})
