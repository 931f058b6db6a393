/** The commands that a person runs in a terminal, in one, where opencode has found its providers by itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runJson } from '../helpers/kugetsu.ts'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { ctrlC, ctrlD, hasTerminals, inTerminal, openTerminal, type Terminal } from '../helpers/terminal.ts'
import { waitFor } from '../helpers/wait-for.ts'

describe.skipIf(!hasTerminals)('in a terminal (script of util-linux)', () => {
  let stage: Stage
  const opened: Terminal[] = []
  const open = (args: string[], columns = 100) => {
    const terminal = openTerminal(stage.home, args, columns)
    opened.push(terminal)
    return terminal
  }
  /** opencode may not listen yet; once it has given the terminal back, another key would be a signal to kugetsu. */
  const leave = async (terminal: Terminal) => {
    const isOver = () => terminal.raw().includes('\u001b[?1049l')
    do terminal.type(ctrlC)
    while (!(await waitFor('the end of the interface', isOver, { timeoutMs: 5_000 }).catch(() => false)))
    return terminal.ended
  }
  const hasSession = (number: number) => stage.file(number) !== undefined

  beforeAll(async () => {
    stage = await setStage({ findsProviders: true, init: false })
  })
  afterAll(() => {
    for (const terminal of opened) terminal.close()
    return stage.cleanup()
  })

  it('init --tui makes the home and opens the base session', async () => {
    const terminal = open(['init', '--tui'])
    await terminal.until(/Initialised/)
    await terminal.until(/Ask anything|ctrl\+p|tab agents/i)
    expect([await leave(terminal), terminal.shown()]).toEqual([
      0,
      expect.not.stringMatching(/unexpected server error/i),
    ])
  })

  it('start reads its message from the terminal, up to Ctrl-D', async () => {
    const terminal = open(['start', ref(1), '-'])
    await terminal.until(/The message, then Ctrl-D/)
    terminal.type(`GATE=go SAY{{marmalade}}\r${ctrlD}`)
    expect([await terminal.ended, terminal.shown()]).toEqual([0, expect.stringContaining('An agent works on')])
    await stage.model.turn('marmalade')
  })

  it('wait and logs -f end with Ctrl-C, and the agent works on', async () => {
    const waiting = open(['wait', ref(1)])
    const continuing = open(['continue', ref(1), 'SAY{{one more}}', '--wait'])
    await continuing.until(/Sent to the running agent/)
    const following = open(['logs', '-f', ref(1)])
    await following.until(/GATE=go/)
    following.type(ctrlC)
    waiting.type(ctrlC)
    continuing.type(ctrlC)
    for (const { ended, shown } of [waiting, following, continuing]) {
      expect([await ended, shown()]).toEqual([130, expect.not.stringMatching(/unexpected|\n {4}at /)])
    }
    expect(continuing.shown()).toContain(`The agent works on: kugetsu wait ${ref(1)}, or kugetsu stop ${ref(1)}`)
    expect((await stage.session(1)).state).toBe('running')
  })

  it('attach shows the session, and is left without harm to it', async () => {
    await stage.model.release('go')
    await stage.ok(['wait', ref(1)])
    const terminal = open(['attach', ref(1)])
    await terminal.until(/marmalade/)
    expect([await leave(terminal), terminal.shown()]).toEqual([
      0,
      expect.not.stringMatching(/unexpected server error/i),
    ])
    expect((await stage.session(1)).state).toBe('idle')
  })

  it('an agent that was given work there is not destroyed under it, and can be stopped', async () => {
    const terminal = open(['attach', ref(1)])
    await terminal.until(/marmalade/)
    terminal.type('GATE=by-hand SAY{{never}}')
    await terminal.until(/GATE=by-hand/)
    terminal.type('\r')
    await stage.model.turn('GATE=by-hand')
    expect(await leave(terminal)).toBe(0)
    for (const args of [
      ['destroy', ref(1), '-y'],
      ['start', ref(1), 'SAY{{anew}}', '--fresh'],
      ['destroy', '--base', '-y'],
    ]) {
      const { code, stderr } = await stage.kugetsu(args)
      expect([code, stderr]).toEqual([1, expect.stringMatching(/is at work on/)])
    }
    expect((await stage.kugetsu(['destroy', ref(1), '-y'])).stderr).toContain(
      `Hint: Stop it first: kugetsu stop ${ref(1)}, or use --force`,
    )
    expect(await stage.ok(['stop', ref(1)])).toContain(`Stopped ${ref(1)}.`)
    await waitFor('the end of its request', () => stage.model.inFlight() === 0)
    expect((await stage.kugetsu(['stop', ref(1)])).stderr).toContain('no agent is at work')
    await stage.ok(['start', ref(1), 'SAY{{begun anew}}', '--fresh', '--wait'])
  })

  it.each([
    ['Ctrl-C', ctrlC],
    ['Ctrl-D', ctrlD],
  ])('%s at a question is no answer, and nothing goes', async (_, key) => {
    for (const args of [
      ['destroy', ref(1)],
      ['destroy', '--base'],
    ]) {
      const terminal = open(args)
      await terminal.until(/\[y\/N\] $/)
      terminal.type(key)
      expect([await terminal.ended, terminal.shown()]).toEqual([
        130,
        expect.stringMatching(/\r\nError: not destroyed\r\nHint: Nothing was changed\.\r\n$/),
      ])
    }
    expect(hasSession(1)).toBe(true)
  })

  it('nor is the end of the terminal', async () => {
    const terminal = open(['destroy', ref(1)])
    await terminal.until(/\[y\/N\] $/)
    terminal.close()
    await waitFor('the end of the command', () =>
      leftovers(stage.home.root).every(({ command }) => !command.includes('destroy')),
    )
    expect(hasSession(1)).toBe(true)
  })

  it('delegate --wait prints the answer', async () => {
    await stage.ok(['queue-daemon', 'start'])
    const { code, shown } = await inTerminal(stage.home, ['delegate', 'SAY{{all is well}}', '--wait'])
    expect([code, shown]).toEqual([0, expect.stringMatching(/Queued for the PM agent[^]*all is well\r\n$/)])
  })

  it('yes is yes', async () => {
    const destroyed = await inTerminal(stage.home, ['destroy', ref(1)], [{ question: /\[y\/N\] $/, answer: 'y' }])
    expect(destroyed).toMatchObject({ code: 0, shown: expect.stringContaining('Destroyed') })
    expect((await runJson<unknown[]>(stage.home, ['list', '--json'])).json).toHaveLength(2)
  })
})
