/** Issues as a person sees them: one word for what each is doing, also for those that only wait in the queue. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kugetsuCommand, runJson, spawnKugetsu } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { ctrlC, hasTerminals, inTerminal, openTerminal } from '../helpers/terminal.ts'
import { waitFor } from '../helpers/wait-for.ts'

interface Listed {
  issue_ref: string | null
  state: string
  status: string
  task: string | null
  ahead: number | null
  opencode_session_id: string | null
  ended: string | null
}

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 1 } })
})
afterAll(() => stage.cleanup())

const listed = async (...flags: string[]) =>
  (await runJson<Listed[]>(stage.home, ['list', '--json', ...flags])).json.filter(({ issue_ref: ref }) => ref !== null)
const issue = async (number: number) => (await listed('--all')).find((each) => each.issue_ref === ref(number))
const shown = async (args: string[], columns = 80) => (await inTerminal(stage.home, args, [], columns)).shown
/** The messages that the agents were given, in the order in which they came. */
const asked = () => stage.model.turns().map((turn) => turn.asked)

describe.skipIf(!hasTerminals)('before the first agent', () => {
  it('list, status and status --line say so', async () => {
    expect(await shown(['list'])).toBe('No agents yet. Start one: kugetsu start <issue> "what to do"\r\n')
    expect(await shown(['status'])).toMatch(/agents +0 of 1 running\r\nqueue +empty/)
    expect(await stage.ok(['status', '--line'])).toBe('0/1 running\n')
    expect(await shown(['queue'])).toMatch(/^The queue is empty\. Add a task: kugetsu queue enqueue/)
    expect(await stage.ok(['queue'])).toMatch(/^ID +STATE/)
  })
})

describe('an issue that only waits in the queue', () => {
  beforeAll(async () => {
    await stage.ok(['queue-daemon', 'start'])
    await stage.ok(['start', ref(1), 'GATE=first SAY{{one is done}} the first'])
    await stage.model.turn('GATE=first')
    for (const number of [2, 3, 4])
      await stage.ok(['queue', 'enqueue', ref(number), `SAY{{${number} is done}} number ${number}`])
  })

  it('is listed with --all, in a pipe without it is not', async () => {
    expect((await listed()).map(({ issue_ref, status }) => [issue_ref, status])).toEqual([[ref(1), 'running']])
    expect(await stage.ok(['list'])).not.toContain(ref(2))
    expect(await listed('--all')).toEqual([
      expect.objectContaining({ issue_ref: ref(1), state: 'running', status: 'running', ahead: null }),
      ...[2, 3, 4].map((number, ahead) =>
        expect.objectContaining({
          issue_ref: ref(number),
          state: 'pending',
          status: 'queued',
          task: `SAY{{${number} is done}} number ${number}`,
          ahead,
          opencode_session_id: null,
        }),
      ),
    ])
    expect((await listed('--all', '--status', 'queued', '-n', '2')).map(({ issue_ref }) => issue_ref)).toEqual([
      ref(2),
      ref(3),
    ])
    expect(await listed('--repo', 'you/app')).toEqual([])
  })

  it.skipIf(!hasTerminals)('is a row of the list on a terminal, and counted by status', async () => {
    const rows = (await shown(['list'])).trimEnd().split('\r\n').slice(1)
    expect(rows.map((row) => /^(\S+) +(\S.*?) {2,}/.exec(row)?.slice(1))).toEqual([
      ['app#1', 'running'],
      ['app#2', 'queued'],
      ['app#3', 'queued, 1 ahead'],
      ['app#4', 'queued, 2 ahead'],
    ])
    expect(await shown(['status'])).toMatch(
      /agents +1 of 1 running: app#1\r\nqueue +3 waiting: app#2, app#3, app#4\r\n/,
    )
    expect(await stage.ok(['status', '--line'])).toBe('1/1 running, 3 queued\n')
    expect(await shown(['queue', 'list'])).toMatch(/ID +STATUS.*\r\n\S+ +queued/)
    expect(await shown(['queue', 'list'], 40)).toMatch(/^STATUS +ISSUE_REF +MESSAGE\r\nqueued +\S+app#2 /)
  })

  it('with an agent at work is left by destroy --all, which says so', async () => {
    const { code, stderr } = await stage.kugetsu(['destroy', '--all'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('Pass --yes')])
    expect(stderr).toContain(`${ref(1)} is left: it is running\n  ${ref(2)}\n`)
  })

  it('is known by a short ref to explain, logs and queue show', async () => {
    expect(await stage.ok(['explain', 'app#3'])).toMatch(/^forge\.test\/me\/app#3 {2}queued\n/)
    const logs = await stage.kugetsu(['logs', 'app#3'])
    expect([logs.code, logs.stderr]).toEqual([
      1,
      expect.stringMatching(/app#3 is queued, 1 ahead: it has no transcript yet/),
    ])
    expect(await stage.ok(['queue', 'show', 'app#3'])).toMatch(/state +pending/)
    const attach = await stage.kugetsu(['context', 'app#30'])
    expect(attach.stderr).toMatch(/^Error: nothing matches "app#30"\nHint: You have app#1, app#2, app#3, app#4\./)
  })

  it('is told more by continue: its agent reads both as one message', async () => {
    const more = await stage.ok(['continue', 'app#3', 'and the tests'])
    expect(more).toMatch(/app#3 is queued, 1 ahead\. The message was added to its task q_\d+/)
    expect((await listed('--all')).filter(({ issue_ref }) => issue_ref === ref(3))).toHaveLength(1)
  })

  it('is taken out of the queue by stop; of several, each gets its line', async () => {
    const stopped = await stage.kugetsu(['stop', 'app#4', 'app#44', ref(5)])
    expect(stopped.code).toBe(1)
    expect(stopped.stdout).toBe(`Stopped ${ref(4)}, which had no agent yet. Its task was taken out of the queue\n`)
    expect(stopped.stderr).toMatch(/^Error: nothing matches "app#44"\nHint: .*\nError: no session for \S+app#5\n/)
    expect(await issue(4)).toBeUndefined()
    const json = await runJson<object[]>(stage.home, ['stop', 'app#44', 'app#45', '--json'])
    expect(json.json).toEqual(
      ['app#44', 'app#45'].map((issue_ref) => ({ issue_ref, error: expect.objectContaining({ code: 'bad_ref' }) })),
    )
  })

  it('is followed by logs -f from the queue on, and waited for', async () => {
    const logs = spawnKugetsu(stage.home, ['logs', '-f', 'app#2'])
    await waitFor('the word that it is queued', () => logs.stderr().includes('app#2 is queued; its transcript follows'))
    const waits = stage.kugetsu(['wait', 'app#1', 'app#2', 'app#3'])
    stage.model.release('first')
    const [followed, waited] = await Promise.all([logs.finished, waits])
    expect(followed.stdout).toContain('2 is done')
    expect([waited.code, waited.stdout]).toEqual([0, [1, 2, 3].map((number) => `idle  ${ref(number)}\n`).join('')])
    expect(asked().filter((text) => text.includes('number 3'))).toEqual([
      expect.stringMatching(/number 3\n\nand the tests/),
    ])
    expect(await listed()).toEqual(
      [1, 2, 3].map((number) =>
        expect.objectContaining({ issue_ref: ref(number), state: 'idle', status: 'done', ended: 'finished' }),
      ),
    )
  })
})

describe('for a script', () => {
  it('a pipe and JSON have what they had in 0.1.0, and JSON has more fields', async () => {
    const [header = '', ...rows] = (await stage.ok(['list'])).trimEnd().split('\n')
    expect(header.split(/ +/)).toEqual([
      'ISSUE_REF',
      'TYPE',
      'STATE',
      'SESSION_ID',
      'WORKTREE',
      'AGE',
      'BRANCH',
      'PR',
      'COST',
    ])
    expect(rows.map((row) => row.split(/ +/).slice(0, 3))).toEqual([
      ['(base)', 'base', 'idle'],
      ['(pm-agent)', 'pm_agent', 'idle'],
      ...[1, 2, 3].map((number) => [ref(number), 'forked', 'idle']),
    ])
    const { json } = await runJson<object[]>(stage.home, ['list', '--json'])
    expect(json.map((each) => Object.keys(each).slice(0, 14))).toEqual(
      json.map(() =>
        'issue_ref type state opencode_session_id worktree_path branch base_branch pr_url created_at updated_at model cost tokens last_error'.split(
          ' ',
        ),
      ),
    )
    expect((await stage.ok(['status'])).split('\n')).toEqual([
      'ok',
      expect.stringMatching(/^slots {3}0 of 1 in use$/),
      expect.stringMatching(/^queue {3}0 pending, 0 at work$/),
      expect.stringMatching(/^daemon {2}running/),
      expect.stringMatching(/^server {2}opencode /),
      expect.stringMatching(/^unread {2}\d+ notifications: kugetsu notify$/),
      '',
    ])
  })

  it('KUGETSU_FORCE_TTY gives a pipe what a terminal shows, in that many columns', async () => {
    const forced = async (value: string) =>
      (await stage.ok(['list'], { env: { KUGETSU_FORCE_TTY: value, NO_COLOR: '1' } })).trimEnd().split('\n')
    const wide = await forced('1')
    expect(wide[0]).toMatch(/^REF +STATUS +TASK/)
    for (const noWidth of ['true', '-5']) expect((await forced(noWidth))[0]).toBe(wide[0])
    const fitted = await forced('50')
    expect(fitted[0]).toMatch(/^REF +STATUS +TASK/)
    expect(Math.max(...fitted.map((row) => row.length))).toBeLessThanOrEqual(50)
    const refused = await stage.kugetsu(['destroy', 'app#3'], { env: { KUGETSU_FORCE_TTY: '80' } })
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--yes') })
  })
})

describe('an issue at rest', () => {
  it('that a person stopped is stopped, not done', async () => {
    await stage.ok(['continue', ref(2), 'GATE=never SAY{{no}} go on'])
    await stage.model.turn('GATE=never')
    await stage.ok(['stop', 'app#2'])
    expect(await issue(2)).toMatchObject({ state: 'idle', status: 'stopped', ended: 'stopped' })
    stage.model.release('never')
  })

  it('of a home of 0.1.0, which did not note it, is what the journal says', async () => {
    for (const number of [2, 3]) {
      const file = path.join(stage.home.kugetsuDir, 'sessions', `forge.test-me-app-${number}.json`)
      const { ended: _, task: __, ...old } = JSON.parse(fs.readFileSync(file, 'utf8'))
      fs.writeFileSync(file, JSON.stringify(old))
    }
    expect([await issue(2), await issue(3)]).toMatchObject([{ status: 'stopped' }, { status: 'done' }])
    fs.rmSync(path.join(stage.home.kugetsuDir, 'journal.jsonl'))
    expect([await issue(2), await issue(3)]).toMatchObject([{ status: 'stopped' }, { status: 'stopped' }])
  })

  it('has a transcript, of which a person can ask for a part', async () => {
    const all = await stage.ok(['logs', 'app#1'])
    expect(all).toMatch(/▶ task\n {2}You are assigned to/)
    expect(await stage.ok(['logs', 'app#1', '--last'])).toBe('one is done\n')
    expect(await stage.ok(['logs', 'app#1', '-n', '2'])).toBe(
      all
        .split(/(?<=\n)/)
        .slice(-2)
        .join(''),
    )
    expect(await stage.ok(['logs', 'app#1', '--grep', 'ONE IS DONE'])).toBe('')
    expect(await stage.ok(['logs', 'app#1', '--grep', 'one is done', '--since', '1h'])).toMatch(/▶ task[^]*● agent/)
    const { json } = await runJson<{ text: string; entries: { kind: string }[] }>(stage.home, [
      'logs',
      'app#1',
      '--json',
    ])
    expect(json.text).toBe(all)
    expect(json.entries.map(({ kind }) => kind)).toEqual(['head', 'task', 'agent', 'end'])
    for (const wrong of [
      ['--since', 'soon'],
      ['--last', '-f'],
      ['-n', '0'],
      ['--delegations', '3'],
    ]) {
      const said = await stage.kugetsu(['logs', 'app#1', ...wrong])
      const error = expect.stringMatching(/^Error: .*\nHint: .*\n$/)
      expect([said.code, said.stdout, said.stderr], wrong.join(' ')).toEqual([1, '', error])
    }
  })

  it.skipIf(!hasTerminals)("begins its transcript with the person's words on a terminal", async () => {
    const begin = /▶ task\r\n {2}\(standing instructions\)\r\n {2}GATE=first SAY\{\{one is done\}\} the first/
    expect(await shown(['logs', '1'])).toMatch(begin) // there, a number is the issue
    expect(await shown(['logs', '1', '-n', '1'])).toMatch(/^\d\d:\d\d:\d\d ■ finished/)
    expect(await stage.ok(['logs', '1'])).toMatch(/^No delegation logs/)
    expect(await shown(['logs', '--delegations', '1'])).toMatch(/^No delegation logs/)
  })

  it.skipIf(!hasTerminals)('is told of by notify on a terminal, once, without what the person did', async () => {
    expect((await stage.ok(['notify'])).match(/task_queued/g)).toHaveLength(3)
    const news = await shown(['notify'])
    const rows = news.trimEnd().split('\r\n').slice(1)
    expect(rows.map((row) => row.split(/ +/).slice(1, 3))).toEqual([1, 2, 3].map((number) => ['done', `app#${number}`]))
    expect(await shown(['notify'])).toMatch(/^Nothing new/)
    expect(await shown(['notify', '--all'])).toMatch(/queued +app#2/)
  })

  it.skipIf(!hasTerminals)(
    'tells what its agent has made: nothing, or what is not pushed and not committed',
    async () => {
      expect(await shown(['wait', 'app#1'])).toBe(`done  ${ref(1)}: nothing changed\r\n`)
      expect(await shown(['explain', 'app#1'])).toMatch(/ended its answer/)
      fs.writeFileSync(path.join(stage.worktree(1), 'new.txt'), 'x\n')
      expect(await shown(['wait', 'app#1'])).toBe(`done  ${ref(1)}: no commits, 1 file not committed\r\n`)
      fs.rmSync(path.join(stage.worktree(1), 'new.txt'))
    },
  )

  it('is destroyed with others, each with its line; its tasks go with it', async () => {
    const refused = await stage.kugetsu(['destroy', 'app#1', 'app#2'])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('Pass --yes')])
    const destroyed = await stage.kugetsu(['destroy', 'app#2', 'app#9', 'app#3', '-y'])
    expect(destroyed.code).toBe(1)
    expect(destroyed.stdout).toBe(`Destroyed ${ref(2)}\nDestroyed ${ref(3)}\n`)
    expect(destroyed.stderr).toMatch(/nothing matches "app#9"/)
    const gone = await stage.kugetsu(['explain', ref(2)])
    expect(gone.stdout).toMatch(/destroyed/)
    const unknown = await stage.kugetsu(['logs', ref(2)])
    expect(unknown.stderr).toMatch(/no session for \S+app#2\nHint: It was destroyed \d+ s ago/)
    await stage.ok(['queue-daemon', 'stop'])
    await stage.ok(['queue', 'enqueue', ref(1), 'go on'])
    expect(await issue(1)).toMatchObject({ status: 'queued' })
    expect(await stage.ok(['destroy', '--all', '-y'])).toBe(
      `Destroyed ${ref(1)}\n  1 task of it taken out of the queue\n`,
    )
    expect(await listed('--all')).toEqual([])
  })

  it.skipIf(!hasTerminals)('list --watch shows what changes, until Ctrl-C', async () => {
    const terminal = openTerminal(stage.home, ['list', '--watch'])
    await terminal.until(/No agents yet/)
    await stage.ok(['queue', 'enqueue', ref(7), 'a task that comes later'])
    await terminal.until(/app#7 +queued +a task that comes later/)
    terminal.type(ctrlC)
    await terminal.ended
    expect(terminal.raw()).toMatch(/\[\?1049l[^]*app#7[^]*$/)
    // On a screen of four lines, the first issue must not scroll away.
    for (const n of [8, 9, 10]) await stage.ok(['queue', 'enqueue', ref(n), 'one more'])
    const setting = (rows: number, term: string) => ({
      command: ['sh', '-c', `stty rows ${rows}; TERM=${term} exec "$@"`, 'sh', ...kugetsuCommand],
    })
    const low = openTerminal(stage.home, ['list', '--watch'], 80, setting(4, 'xterm'))
    await low.until(/app#7 .*\r\n… and 3 more\r\n/)
    low.type(ctrlC)
    await low.ended
    expect(low.raw()).toMatch(/\[\?1049l[^]*app#7[^]*app#10[^]*$/)
    // The screen is put back from the first byte on.
    for (let time = 0; time < 4; time++) {
      const soon = openTerminal(stage.home, ['list', '--watch'])
      await waitFor('the other screen', () => soon.raw().includes('[?1049h'))
      soon.type(ctrlC)
      await soon.ended
      expect(soon.raw()).toMatch(/\[\?25h[^]*\[\?1049l/)
    }
    const dumb = openTerminal(stage.home, ['list', '--watch'], 80, setting(40, 'dumb'))
    await dumb.ended
    expect(dumb.raw()).toMatch(/^Error: list --watch needs a terminal that can clear its screen/)
    const piped = await stage.kugetsu(['list', '-w'])
    expect([piped.code, piped.stderr]).toEqual([1, expect.stringMatching(/needs a terminal/)])
    await waitFor('nothing left', async () => (await stage.ok(['stop', '--all', '-y'])) !== '')
  })
})
