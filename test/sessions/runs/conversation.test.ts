import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runContext } from '../../../src/cli/commands/agents/context.ts'
import type { Run, SessionRecord, Ending } from '../../../src/sessions/file/session-file.ts'
import {
  forgetRemembered,
  readRemembered,
  recall,
  rememberAnswered,
  rememberAsked,
  rememberJoined,
  type Remembered,
} from '../../../src/sessions/runs/conversation.ts'
import { createFakeContext, type FakeContext } from '../../helpers/fake-context.ts'

const name = 'forge.test-me-app-1'
const issue = 'forge.test/me/app#1'

let home: FakeContext
let warnings: string[]
let now: Date
beforeEach(() => {
  now = new Date('2026-05-01T12:00:00Z')
  warnings = []
  home = { ...createFakeContext(), warn: (text) => warnings.push(text), now: () => now }
})
afterEach(() => home.cleanup())

const runOf = (slot: string): Run => ({
  slot,
  message_ids: ['msg_1'],
  started_at: '',
  deadline_at: '',
  interruptions: 0,
  server: 'm',
})
const record = (slot: string, more: Partial<SessionRecord> = {}): SessionRecord => ({
  type: 'forked',
  state: 'running',
  issue_ref: issue,
  branch_name: 'fix/issue-1',
  run: runOf(slot),
  ...more,
})
const file = () => home.paths.remembered(name)
const stored = () => JSON.parse(fs.readFileSync(file(), 'utf8')) as Remembered & Record<string, unknown>
const put = (content: string) => {
  fs.mkdirSync(path.dirname(file()), { recursive: true })
  fs.writeFileSync(file(), content)
}
const configure = (line: string) => fs.writeFileSync(home.paths.config, `${line}\n`)
const ask = (slot: string, text: string, anew?: boolean) =>
  rememberAsked(home, name, { record: record(slot), slot, text, anew })
const answer = (slot: string, ending: Partial<Ending>) =>
  rememberAnswered(home, name, record(slot), runOf(slot), { state: 'idle', ...ending })
const said = () => stored().entries.map(({ kind, text }) => `${kind} ${text}`)

describe('what is remembered', () => {
  it('is what was asked and answered, with branch and pull request, for its owner alone', () => {
    ask('a', 'fix it')
    now = new Date('2026-05-01T12:30:00Z')
    const pr = { pr_url: 'https://forge.test/me/app/pulls/2' }
    rememberAnswered(home, name, record('a', pr), runOf('a'), { state: 'error', answer: 'Half.', error: 'no credit' })
    expect(stored()).toEqual({
      issue_ref: issue,
      branch: 'fix/issue-1',
      ...pr,
      entries: [
        { at: '2026-05-01T12:00:00.000Z', kind: 'asked', text: 'fix it', run: 'a' },
        {
          at: '2026-05-01T12:30:00.000Z',
          kind: 'answered',
          text: 'Half.',
          run: 'a',
          outcome: 'error',
          error: 'no credit',
        },
      ],
      left_out: 0,
    })
    expect(fs.statSync(file()).mode & 0o777).toBe(0o600)
    expect(fs.statSync(path.dirname(file())).mode & 0o777).toBe(0o700)
    expect(recall(home, name, issue)).toEqual(stored())
    expect(warnings).toEqual([])
  })

  it('has the question before its answer, whichever was written first', () => {
    answer('a', { answer: 'one' })
    ask('a', 'first')
    answer('b', { answer: 'two' })
    ask('b', 'second')
    expect(said()).toEqual(['asked first', 'answered one', 'asked second', 'answered two'])
  })

  it('has no answer to what never reached the agent', () => {
    answer('a', { state: 'error', error: 'never sent', undelivered: true })
    expect(fs.existsSync(file())).toBe(false)
  })

  it('says that a run was stopped', () => {
    answer('a', { stopped: true })
    expect(stored().entries).toMatchObject([{ kind: 'answered', text: '', outcome: 'stopped' }])
  })

  it('begins anew when the agent does', () => {
    ask('a', 'old')
    answer('a', { answer: 'done' })
    ask('b', 'new', true)
    expect(said()).toEqual(['asked new'])
  })

  it('loses nothing when many write at once', async () => {
    const texts = Array.from({ length: 20 }, (_, index) => `message ${index}`)
    await Promise.all(texts.map((text) => rememberJoined(home, name, record('a'), text)))
    expect(said().sort()).toEqual(texts.map((text) => `asked ${text}`).sort())
  })

  it('is masked before it is cut', () => {
    fs.mkdirSync(home.paths.env, { recursive: true })
    fs.writeFileSync(path.join(home.paths.env, 'dev.env'), 'export GITEA_TOKEN="tok-3f9a71c05be2"\n')
    // Cut in the middle of the token, halves of it would stay.
    for (let before = 2_785; before <= 2_800; before++)
      ask('a', `${'x'.repeat(before)}tok-3f9a71c05be2${'y'.repeat(5_000)}`)
    answer('a', { state: 'error', answer: 'it is tok-3f9a71c05be2', error: 'bad token tok-3f9a71c05be2' })
    expect(fs.readFileSync(file(), 'utf8')).not.toMatch(/tok-3|05be2/)
    expect(stored().entries.at(-1)).toMatchObject({ text: 'it is ***MASKED***', error: 'bad token ***MASKED***' })
  })
})

describe('its size', () => {
  it('is that of the first request and the newest entries', () => {
    for (let index = 0; index < 100; index++) ask(`run ${index}`, `message ${index}`)
    expect(said()).toEqual([
      'asked message 0',
      ...Array.from({ length: 39 }, (_, index) => `asked message ${index + 61}`),
    ])
    expect(stored().left_out).toBe(60)
  })

  it('is bounded in bytes too, and long texts keep beginning and end', () => {
    const long = `begin ${'😀'.repeat(20_000)} end`
    for (let index = 0; index < 30; index++) ask(`run ${index}`, `${index} ${long}`)
    expect(fs.statSync(file()).size).toBeLessThan(60 * 1024)
    const { entries, left_out } = stored()
    expect(entries[0]?.text).toMatch(/^0 begin /)
    expect(entries.at(-1)?.text).toMatch(/^29 begin [^]*\n\[… \d+ characters left out …\]\n[^]* end$/)
    expect(entries.length + left_out).toBe(30)
    expect(entries.length).toBeGreaterThan(3)
    for (const { text } of entries) {
      expect(text.length).toBeLessThanOrEqual(4_000)
      expect(text).toBe(Buffer.from(text).toString()) // no half characters
    }
  })
})

describe('a file', () => {
  it('of another make keeps its fields', () => {
    put('{"issue": 1, "initial": "fix it", "history": [{"role": "user"}]}')
    ask('a', 'go on')
    expect(stored()).toMatchObject({ issue: 1, initial: 'fix it', history: [{ role: 'user' }] })
    expect(said()).toEqual(['asked go on'])
    expect(warnings).toEqual([])
  })

  it('keeps fields of entries that are not known', () => {
    const entry = { at: 'x', kind: 'asked', text: 'old', who: 'mika' }
    put(JSON.stringify({ entries: [entry], labels: ['a'] }))
    ask('a', 'new')
    expect(stored()).toMatchObject({ entries: [entry, { text: 'new' }], labels: ['a'] })
  })

  it.each([
    ['cut off', '{"entries": [{"at'],
    ['empty', ''],
    ['a list', '[]'],
    ['of wrong types', '{"entries": [{"at": 1, "kind": "asked", "text": "x"}]}'],
  ])('that is %s is set aside with its bytes and named, and remembering goes on', (_, content) => {
    put(content)
    ask('a', 'go on')
    expect(said()).toEqual(['asked go on'])
    const [aside, ...more] = fs.readdirSync(path.dirname(file())).filter((each) => each.includes('.unreadable-'))
    expect(more).toEqual([])
    expect(fs.readFileSync(path.join(path.dirname(file()), aside ?? ''), 'utf8')).toBe(content)
    expect(warnings).toEqual([expect.stringContaining(`${file()} cannot be understood and was kept as ${aside}`)])
  })

  it('of another issue that had the name before is not used', () => {
    put(JSON.stringify({ issue_ref: 'forge.test/me-app/x#1', entries: [{ at: 'x', kind: 'asked', text: 'other' }] }))
    expect(readRemembered(home, name, issue)).toBeUndefined()
    ask('a', 'mine')
    expect(said()).toEqual(['asked mine'])
  })

  it('that cannot be written is a warning and no failure', async () => {
    fs.writeFileSync(path.dirname(file()), 'a file where the directory should be')
    ask('a', 'x')
    answer('a', { answer: 'y' })
    await rememberJoined(home, name, record('a'), 'z')
    expect(warnings).toEqual([1, 2, 3].map(() => expect.stringContaining(`on ${issue} is not remembered: cannot`)))
    expect(recall(home, name, issue)).toBeUndefined()
  })
})

describe('with ENABLE_CONTEXT_DUMP=false', () => {
  it('nothing is written and nothing used', async () => {
    ask('a', 'before')
    const before = fs.readFileSync(file(), 'utf8')
    configure('ENABLE_CONTEXT_DUMP=false')
    ask('b', 'while it is off')
    answer('b', { answer: 'done' })
    await rememberJoined(home, name, record('b'), 'more')
    expect(fs.readFileSync(file(), 'utf8')).toBe(before)
    expect(recall(home, name, issue)).toBeUndefined()
    expect(await forgetRemembered(home, name)).toBe(true)
    ask('c', 'after')
    expect(fs.existsSync(file())).toBe(false)
  })
})

describe('kugetsu context', () => {
  it('prints times, who and what, within 80 columns, and nothing that drives a terminal', async () => {
    ask('a', `fix \x1b[31mit\x1b[0m\r\x07, ${'and mind the other places where it is done the same way, '.repeat(4)}`)
    answer('a', { answer: 'Done.\n\n- one\n- two' })
    ask('b', '')
    answer('b', { state: 'timeout', error: 'stopped after 1 h (TASK_TIMEOUT_HOURS)' })
    await runContext(home, { ref: issue })
    const text = home.out()
    expect(text).toMatch(
      /^forge\.test\/me\/app#1\n {2}branch {2}fix\/issue-1\n\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}delegator\n {2}fix it/,
    )
    expect(text).toMatch(/ {2}agent\n {2}Done\.\n\n {2}- one\n {2}- two\n\n\S+ \S+ {2}delegator\n {2}\(to go on\)\n\n/)
    expect(text).toMatch(/ {2}agent, timeout\n {2}Error: stopped after 1 h \(TASK_TIMEOUT_HOURS\)\n$/)
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    // oxlint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f]/)
  })

  it('says how many are not kept', async () => {
    for (let index = 0; index < 43; index++) ask(`run ${index}`, `message ${index}`)
    await runContext(home, { ref: issue })
    expect(home.out()).toMatch(/ {2}message 0\n\n… 3 not kept …\n\n\S+ \S+ {2}delegator\n {2}message 4\n/)
  })

  it('says that nothing is remembered, and that it is switched off', async () => {
    await runContext(home, { ref: issue })
    expect(home.out()).toBe(`Nothing is remembered of ${issue}\n`)
    configure('ENABLE_CONTEXT_DUMP=false')
    await runContext(home, { ref: issue })
    expect(home.out()).toMatch(/^(Nothing is remembered of \S+\n){2}ENABLE_CONTEXT_DUMP is false: .*\n$/)
  })
})
