import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runJson, spawnKugetsu } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 2 } })
})
afterAll(() => stage.cleanup())

/** A gate holds agents until it opens. */
const gate = (name: string) => `GATE=${name}`
const begun = async (name: string, count: number) =>
  waitFor(`${count} agents at ${name}`, () => stage.model.turns(gate(name)).length >= count)

describe('start with -m', () => {
  it('begins each issue named, each with its own line, and leaves those out for which no slot is free', async () => {
    const started = await stage.kugetsu(['start', ref(1), ref(2), ref(1), ref(3), '-m', `${gate('one')} SAY{{seen}}`])
    expect(started.code).toBe(2)
    expect(started.stdout.match(/^An agent works on \S+$/gm)).toEqual([
      `An agent works on ${ref(1)}`,
      `An agent works on ${ref(2)}`,
    ])
    expect(started.stderr).toMatch(
      /^Error: forge\.test\/me\/app#3: no free slot: 2 of 2 [^\n]+\nHint: [^\n]*--queue[^\n]*\n$/m,
    )
    expect(stage.file(3)).toBeUndefined()
    await begun('one', 2)
  })

  it('with --queue leaves them to the queue, and with --wait waits for all of them', async () => {
    await stage.ok(['queue-daemon', 'start'])
    const waiting = runJson<Record<string, unknown>[]>(
      stage.home,
      ['start', ref(4), ref(5), '--queue', '--wait', '--json', '-m', '-'],
      { input: 'SAY{{from a file}}' },
    )
    await waitFor('the tasks', async () => {
      const { json } = await runJson<{ issue_ref: string }[]>(stage.home, ['queue', 'list', '--json'])
      return json.length === 2
    })
    stage.model.release('one')
    const { code, json, stderr } = await waiting
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(json.map(({ issue_ref, state }) => [issue_ref, state])).toEqual([
      [ref(4), 'idle'],
      [ref(5), 'idle'],
    ])
    for (const number of [4, 5]) expect(await stage.ok(['logs', ref(number), '--last'])).toBe('from a file\n')
  })

  it('shows with --wait --json one whose task fails before it has a session', async () => {
    await stage.ok(['start', ref(4), ref(5), '-m', `${gate('two')} SAY{{two}}`])
    await begun('two', 2)
    const waiting = runJson<Record<string, unknown>[]>(stage.home, [
      'start',
      ref(1),
      'forge.test/me/nowhere#7',
      '--queue',
      '--wait',
      '--json',
      '-m',
      'SAY{{later}}',
    ])
    await waitFor('the tasks', async () => {
      const { json } = await runJson<{ state: string }[]>(stage.home, ['queue', 'list', '--json'])
      return json.filter(({ state }) => state === 'pending').length === 2
    })
    stage.model.release('two')
    const { code, json } = await waiting
    expect(code).toBe(1)
    expect(json).toEqual([
      expect.objectContaining({ issue_ref: ref(1), state: 'idle' }),
      { issue_ref: 'forge.test/me/nowhere#7', error: expect.objectContaining({ code: 'agent_failed' }) },
    ])
  })

  it('goes on when one fails, and with --json shows what became of each', async () => {
    await stage.ok(['wait', ref(1), ref(2)])
    const nowhere = [1, 2, 3].map((number) => `forge.test/me/nowhere#${number}`)
    for (const command of ['start', 'continue']) {
      const args = [command, ref(6), ...nowhere, '--json', '-m', 'SAY{{six}}']
      const { code, json } = await runJson<Record<string, unknown>[]>(stage.home, args)
      expect(code).toBe(1)
      expect(json).toEqual([
        expect.objectContaining({ issue_ref: ref(6), state: 'running' }),
        ...nowhere.map((issue) => ({
          issue_ref: issue,
          error: expect.objectContaining({ code: expect.any(String) }),
        })),
      ])
    }
  })

  it('waits for those that began, and the exit code and the output tell of the others', async () => {
    await stage.ok(['wait', ref(6)])
    const args = ['start', 'forge.test/me/nowhere#7', ref(8), '--wait', '-m', 'SAY{{eight}}']
    const text = await stage.kugetsu(args)
    expect(text.code).toBe(1)
    expect(text.stdout).toMatch(new RegExp(`^An agent works on ${ref(8)}\\n[^]*\\nidle {2}${ref(8)}\\n$`))
    expect(text.stderr).toMatch(/^Error: forge\.test\/me\/nowhere#7: cannot clone [^\n]*\nHint: /m)
    const { code, json } = await runJson<Record<string, unknown>[]>(stage.home, [...args, '--json'])
    expect(code).toBe(1)
    expect(json).toEqual([
      expect.objectContaining({ issue_ref: ref(8), state: 'idle' }),
      { issue_ref: 'forge.test/me/nowhere#7', error: expect.anything() },
    ])
  })

  it('says what goes on when the time is over', async () => {
    const late = ['start', ref(8), ref(9), '--wait', '--timeout', '1', '-m', `${gate('late')} SAY{{late}}`]
    const { code, stderr } = await stage.kugetsu(late)
    expect(code).toBe(124)
    expect(stderr).toMatch(/^Error: still at work after \d+ s: [^\n]*#8, [^\n]*#9\n/)
  })
})

describe('continue with -m', () => {
  it('tells each of the agents', async () => {
    const told = await stage.ok(['continue', 'app#8', 'app#9', '-m', 'SAY{{told}}'])
    expect(told.match(/^The message joins the work on \S+$/gm)).toHaveLength(2)
    stage.model.release('late')
    await stage.ok(['wait', 'app#8', 'app#9'])
    for (const number of [8, 9]) expect(await stage.ok(['logs', ref(number)])).toContain('SAY{{told}}')
  })

  it('with --json shows, when the time is over, which ones have ended and which are at work', async () => {
    await stage.ok(['start', ref(10), `${gate('held')} SAY{{held}}`])
    await begun('held', 1)
    const late = ['continue', ref(10), ref(9), '--wait', '--timeout', '10', '--json', '-m', 'SAY{{more}}']
    const { code, json } = await runJson<Record<string, unknown>[]>(stage.home, late)
    expect(code).toBe(124)
    expect(json).toEqual([
      { issue_ref: ref(10), error: expect.objectContaining({ code: 'timed_out' }) },
      expect.objectContaining({ issue_ref: ref(9), state: 'idle' }),
    ])
    stage.model.release('held')
    await stage.ok(['wait', ref(10)])
  })
})

describe('Ctrl-C between two starts', () => {
  it('leaves the agents that have begun, and says which', async () => {
    await stage.ok(['wait', ref(8), ref(9)])
    const nowhere = Array.from({ length: 40 }, (_, index) => `forge.test/me/nowhere#${index + 1}`)
    const args = ['start', ref(8), ...nowhere, ref(30), '--json', '-m', `${gate('left')} SAY{{left}}`]
    const starting = spawnKugetsu(stage.home, args)
    await waitFor('the next start', () => starting.stderr().includes('cloning'))
    const { code, stdout, stderr } = await starting.kill('SIGINT')
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    expect(stderr).toContain(`\nThe agent works on: kugetsu wait ${ref(8)}, or kugetsu stop ${ref(8)}\nInterrupted\n`)
    expect(stage.file(11)).toBeUndefined()
    stage.model.release('left')
    await stage.ok(['wait', ref(8)])
  })

  it('takes a text that begins with a hyphen', async () => {
    await stage.ok(['continue', ref(8), '--wait', '-m', '- one SAY{{flag}}'])
    expect(await stage.ok(['logs', ref(8)])).toContain('- one SAY{{flag}}\n')
    await stage.ok(['continue', ref(8), '--wait', '--', '- three SAY{{literal}}'])
    expect(await stage.ok(['logs', ref(8)])).toContain('- three SAY{{literal}}\n')
  })
})

describe('a command line that cannot be meant', () => {
  const said = async (...args: string[]) => {
    const { code, stdout, stderr } = await stage.kugetsu(args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    return stderr
  }

  it('begins nothing', async () => {
    expect(await said('start', ref(20), 'fix', 'the', 'login', 'bug')).toMatch(
      /^Error: too many arguments for 'start'\nHint: Put the message in quotes\. [^\n]*-m/,
    )
    expect(await said('continue', ref(20), 'fix', 'it')).toMatch(/^Error: too many arguments for 'continue'\n/)
    expect(await said('start', ref(20), 'app#21')).toMatch(/^Error: the message is a ref: app#21\nHint: [^\n]*-m/)
    const page = 'https://forge.test/me/app/issues/21'
    for (const second of [ref(21), '#21', '21', 'app#-word', page]) {
      expect(await said('start', ref(20), second)).toContain(`Error: the message is a ref: ${second}\nHint: `)
    }
    expect(await said('continue', ref(20), page)).toContain(`Error: the message is a ref: ${page}\nHint: `)
    expect(await said('start', ref(20), 'fix', 'it')).toMatch(
      /^Error: not the URL of a pull request: "it"\nHint: [^\n]*quotes/,
    )
    expect(await said('start', ref(20), '-m', 'one', ref(21), '-m', 'two')).toMatch(/^Error: -m is given twice\nHint: /)
    expect(await said('start', ref(20), 'no ref at all', '-m', 'x')).toMatch(
      /^Error: "no ref at all" is not an issue ref/,
    )
    expect(await said('start', ref(20), ref(21), '-m', ' ')).toMatch(/^Error: the message is empty\n/)
    expect(await said('start', ref(20), ref(21), '-m', '')).toMatch(/^Error: the message is empty\n/)
    expect(await said('start', '-m', 'x')).toMatch(/^Error: missing required argument 'issue-ref'\n/)
    for (const number of [20, 21]) expect(stage.file(number)).toBeUndefined()
  })
})
