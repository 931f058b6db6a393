import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

interface Remembered {
  issue_ref: string
  enabled: boolean
  file: string
  branch?: string | null
  entries: { at: string; kind: string; text: string; outcome?: string }[]
}

const token = 'tok-3f9a71c05be2'
const mark = '===== What was asked and answered before ====='
const words = "===== The delegator's message =====\n"

let stage: Stage
beforeAll(async () => {
  stage = await setStage()
  fs.writeFileSync(path.join(stage.home.kugetsuDir, 'env', 'dev.env'), `export GITEA_TOKEN="${token}"\n`)
})
afterAll(() => stage.cleanup())

const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
const fileOf = (number: number) => at('context', `forge.test-me-app-${number}.json`)
const remembered = async (number: number) =>
  (await runJson<Remembered>(stage.home, ['context', ref(number), '--json'])).json
const said = async (number: number) => (await remembered(number)).entries.map(({ kind, text }) => `${kind}: ${text}`)

/** Deletes the issue's session in opencode, behind kugetsu's back. */
async function lose(number: number): Promise<void> {
  const { opencode_session_id: id } = await stage.session(number)
  if (id === null) throw new Error('nothing to lose')
  await stage.look().remove(id)
  expect(await stage.look().has(id)).toBe(false)
}

/** The first request of the agent that was told this. */
const first = async (text: string) => (await stage.model.turn(text)).asked

describe('what is remembered of an issue', () => {
  it('is what was asked and answered, also by messages that joined the work', async () => {
    await stage.ok(['start', ref(1), `Fix the login bug with ${token}. GATE=one SAY{{Not yet.}}`])
    await stage.model.turn('Fix the login bug')
    await stage.ok(['continue', ref(1), 'Use the helper in auth.ts. SAY{{The login works.}}'])
    stage.model.release('one')
    await stage.ok(['wait', ref(1)])
    expect(await said(1)).toEqual([
      'asked: Fix the login bug with ***MASKED***. GATE=one SAY{{Not yet.}}',
      'asked: Use the helper in auth.ts. SAY{{The login works.}}',
      'answered: The login works.',
    ])
    expect(await remembered(1)).toMatchObject({
      issue_ref: ref(1),
      enabled: true,
      file: fileOf(1),
      branch: 'fix/issue-1',
    })
    expect(fs.statSync(fileOf(1)).mode & 0o777).toBe(0o600)
    expect(fs.readFileSync(fileOf(1), 'utf8')).not.toContain(token)
  })

  it('is printed for a person', async () => {
    const text = await stage.ok(['context', 'app#1'])
    expect(text).toMatch(/^forge\.test\/me\/app#1\n {2}branch {2}fix\/issue-1\n/)
    expect(text).toMatch(/\d\d:\d\d:\d\d {2}delegator\n {2}Use the helper[^]* {2}agent\n {2}The login works\.\n$/)
    expect(await stage.ok(['context', ref(99)])).toBe(`Nothing is remembered of ${ref(99)}\n`)
  })
})

describe('an agent whose session is gone from opencode', () => {
  it('has a successor that is told of it, before the words of the delegator', async () => {
    const { opencode_session_id: lost } = await stage.session(1)
    await lose(1)
    const message = 'Now the logout. SAY{{The logout works.}}'
    expect(await stage.ok(['continue', ref(1), message, '--wait'])).toMatch(/^An agent works on /)
    expect((await stage.session(1)).opencode_session_id).not.toBe(lost)
    const asked = await first('Now the logout.')
    expect(asked.endsWith(`\n${words}${message}`)).toBe(true)
    const section = asked.slice(asked.indexOf(mark), asked.indexOf(words))
    expect(section).toContain('> Fix the login bug with ***MASKED***.')
    expect(section).toContain('> Use the helper in auth.ts.')
    expect(section).toMatch(/the agent answered:\n> The login works\./)
    expect(section).toContain('in a session that is lost')
    expect(asked).toContain('do not start over')
    // The scripted model says whatever its markers say, also those that are quoted.
    const answer = expect.stringMatching(/^answered: [^]*The logout works\.$/)
    expect((await said(1)).slice(3)).toEqual([`asked: ${message}`, answer])
  })

  it('is told only once', async () => {
    await stage.ok(['continue', ref(1), 'And the tests. SAY{{tested}}', '--wait'])
    expect(await first('And the tests.')).toBe('And the tests. SAY{{tested}}')
  })

  it('is told by the queue too, and without any words goes on', async () => {
    await lose(1)
    await stage.ok(['queue-daemon', 'start'])
    const { json } = await runJson<Item>(stage.home, ['queue', 'enqueue', ref(1), 'From the queue.', '--json'])
    await waitFor('the end of the task', async () => {
      const { json: now } = await runJson<Item>(stage.home, ['queue', 'show', json.id, '--json'])
      return now.state === 'completed'
    })
    await stage.ok(['queue-daemon', 'stop'])
    expect(await first(`${words}From the queue.`)).toMatch(new RegExp(`${mark}[^]*> Now the logout\\.`))

    await lose(1)
    await stage.ok(['continue', ref(1), '--wait'])
    expect(await first(`${words}Go on with your task.`)).toMatch(new RegExp(`${mark}[^]*> From the queue\\.`))
    expect((await said(1)).at(-2)).toBe('asked: ')
  })

  it('is not told of it by a start that is to begin anew, which forgets it', async () => {
    await stage.ok(['start', ref(1), 'Quite another way. SAY{{anew}}', '--fresh', '--wait'])
    expect(await first('Quite another way.')).not.toContain(mark)
    expect(await said(1)).toEqual(['asked: Quite another way. SAY{{anew}}', 'answered: anew'])
  })

  it('is told nothing with ENABLE_CONTEXT_DUMP=false, and nothing is written', async () => {
    stage.configure({ ENABLE_CONTEXT_DUMP: 'false' })
    const before = fs.readFileSync(fileOf(1), 'utf8')
    await lose(1)
    await stage.ok(['continue', ref(1), 'In the dark. SAY{{dark}}', '--wait'])
    expect(await first('In the dark.')).not.toContain(mark)
    expect(await first('In the dark.')).not.toContain('Quite another way.')
    expect(fs.readFileSync(fileOf(1), 'utf8')).toBe(before)
    expect(await stage.ok(['context', ref(1)])).toContain('ENABLE_CONTEXT_DUMP is false')
    expect((await remembered(1)).enabled).toBe(false)
    stage.configure({})
  })
})

describe('it is forgotten', () => {
  it('with --clear', async () => {
    expect(await stage.ok(['context', ref(1), '--clear'])).toBe(`Forgot what was asked and answered on ${ref(1)}\n`)
    expect(fs.existsSync(fileOf(1))).toBe(false)
    expect(await said(1)).toEqual([])
    const { json } = await runJson(stage.home, ['context', ref(1), '--clear', '--json'])
    expect(json).toEqual({ issue_ref: ref(1), cleared: false })
    await lose(1)
    await stage.ok(['continue', ref(1), 'From nothing. SAY{{nothing}}', '--wait'])
    expect(await first('From nothing.')).not.toContain(mark)
  })

  it('with the issue', async () => {
    expect(fs.existsSync(fileOf(1))).toBe(true)
    await stage.ok(['destroy', ref(1), '-y'])
    expect(fs.existsSync(fileOf(1))).toBe(false)
  })
})
