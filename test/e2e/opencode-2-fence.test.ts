/** The fence around the PM agent in opencode 2's own shell tool; all of its commands go through the hooks in fence.test.ts. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pmAgentDefinition, pmAgentName } from '../../src/agents/pm-agent.ts'
import { writeProgram } from '../../src/driver/environment.ts'
import commands from '../fixtures/pm-commands.json' with { type: 'json' }
import { bundledDriver, setDriverStage, type DriverStage } from '../helpers/driver-stage.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'

const found = opencode2Program()
const why = 'why' in found ? ` (${found.why})` : ''

describe.skipIf(why !== '')(`the PM agent's shell in opencode 2.0.15${why}`, () => {
  let stage: DriverStage
  let pm: { id: string; directory: string }
  let worktree: string
  /** What the shell tool gives the model for each of these commands. */
  const outputs = async (all: string[]) => {
    const from = stage.model.requests.length
    const calls = all.map((command) => `TOOL{{shell ${JSON.stringify({ command })}}}`)
    await stage.end(pm, await stage.say(pm, calls.join(' '), { agent: pmAgentName }))
    const results = stage.model.requests.slice(from).filter(({ lastRole }) => lastRole === 'tool')
    return results.map(({ lastText }) => lastText)
  }

  beforeAll(async () => {
    const program = 'program' in found ? found.program : ''
    const agents = { [pmAgentName]: pmAgentDefinition() }
    stage = await setDriverStage(await bundledDriver('opencode2/driver.ts', 'opencode2'), program, { agents })
    writeProgram(stage.home)
    const { base, env, sessions } = stage.home.paths
    for (const directory of [env, sessions]) fs.mkdirSync(directory)
    fs.writeFileSync(path.join(env, 'default.env'), 'export TOKEN="hunter2"\n')
    await stage.boot()
    const id = await stage.client.createPrimed(base, { title: 'pm', text: 'PM', agent: pmAgentName })
    pm = { id, directory: base }
    fs.writeFileSync(
      path.join(sessions, 'pm-agent.json'),
      JSON.stringify({ type: 'pm_agent', opencode_session_id: id }),
    )
    await stage.client.place(id, { directory: base, rules: [], title: 'pm', isNew: false })
    worktree = stage.worktree('one')
    fs.writeFileSync(path.join(worktree, '.env'), 'hunter2')
    fs.symlinkSync(env, path.join(worktree, 'link-to-directory'))
  })
  afterAll(() => stage?.cleanup())

  it('runs nothing of a refused command', async () => {
    const some = commands.refused.filter((_, index) => index % 12 === 0)
    expect(some.length).toBeGreaterThan(15)
    expect(await outputs(some)).toEqual(some.map(() => expect.stringContaining('kugetsu refused this command')))
    expect(fs.readdirSync(pm.directory)).toEqual([])
  })

  it('runs an allowed one', async () => {
    const local = commands.allowed.filter((each) => /^(?:git|kugetsu (?:--|help))/.test(each))
    const some = local.filter((_, index) => index % 6 === 0).map((each) => `cd ${worktree} && ${each}`)
    expect(some.length).toBeGreaterThan(4)
    const given = await outputs([...some, `cd ${worktree} &&\n  git log --oneline # "it's" all`])
    expect(given.slice(0, -1)).toEqual(some.map(() => expect.not.stringMatching(/refused this|Permission denied/)))
    expect(given.at(-1)).toMatch(/^[0-9a-f]{7} one\n$/)
  })

  it('reads nothing that the agent may not see', async () => {
    const places = { worktree, home: stage.home.paths.home, file: '/etc/passwd' }
    const some = commands.outside
      .filter((_, index) => index % 6 === 0)
      .map((each) => each.replaceAll(/\{(worktree|home|file)\}/g, (_, name: keyof typeof places) => places[name]))
    const given = await outputs(some)
    expect(given).toEqual(some.map(() => expect.stringMatching(/Exited with code 1/)))
    expect(given.join('\n')).not.toMatch(/root:|hunter2/)
  })
})
