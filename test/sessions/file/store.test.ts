import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseRef } from '../../../src/core/issue-ref.ts'
import { nameOf } from '../../../src/sessions/file/session-name.ts'
import {
  changeIndex,
  changeSession,
  forgetSession,
  readIndex,
  readSession,
  readSessions,
  trackedRefs,
} from '../../../src/sessions/file/store.ts'
import { run, runJson } from '../../helpers/kugetsu.ts'
import { createHome } from '../../helpers/home.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

const bashHome = fileURLToPath(new URL('../../fixtures/bash-home', import.meta.url))
const issue14 = 'github.com-shoko-kugetsu-14'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const sessionFile = (name: string) => path.join(home.paths.sessions, `${name}.json`)
const json = (file: string) => JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>
const put = (file: string, content: string) => {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, content)
}
const asides = (directory: string) => fs.readdirSync(directory).filter((name) => name.includes('.unreadable-'))
const ref = (text: string) => parseRef(text, { defaultHost: 'github.com' })

describe('a session file', () => {
  it('is not there before it is written, and then is for its owner alone', async () => {
    expect(readSession(home, 'x')).toBeUndefined()
    expect(readSessions(home)).toEqual([])
    const stored = await changeSession(home, 'x', () => ({ type: 'forked', state: 'starting' }))
    expect(stored).toEqual({ type: 'forked', state: 'starting', updated_at: '2026-05-01T12:00:00.000Z' })
    expect(readSession(home, 'x')).toEqual(stored)
    expect(fs.statSync(sessionFile('x')).mode & 0o777).toBe(0o600)
    expect(fs.statSync(home.paths.sessions).mode & 0o777).toBe(0o700)
  })

  it('keeps fields that kugetsu does not know through a change', async () => {
    put(sessionFile('x'), JSON.stringify({ type: 'forked', state: 'idle', notes: { by: ['a'] }, log_file: '/l' }))
    await changeSession(home, 'x', (current) => (current ? { ...current, state: 'running' } : undefined))
    expect(json(sessionFile('x'))).toMatchObject({ state: 'running', notes: { by: ['a'] }, log_file: '/l' })
  })

  it('is left alone by a change that changes nothing', async () => {
    const text = '{"type":"forked","state":"idle"}'
    put(sessionFile('x'), text)
    expect(await changeSession(home, 'x', () => undefined)).toMatchObject({ state: 'idle' })
    expect(fs.readFileSync(sessionFile('x'), 'utf8')).toBe(text)
    expect(await changeSession(home, 'none', () => undefined)).toBeUndefined()
    expect(fs.existsSync(sessionFile('none'))).toBe(false)
  })

  it('loses no change when many come at once', async () => {
    await changeSession(home, 'x', () => ({ type: 'forked', state: 'idle', count: 0 }))
    const add = () =>
      changeSession(home, 'x', (current) => (current ? { ...current, count: Number(current['count']) + 1 } : undefined))
    await Promise.all(Array.from({ length: 20 }, add))
    expect(json(sessionFile('x'))['count']).toBe(20)
  })

  it.each([
    ['cut off', '{"type": "for'],
    ['empty', ''],
    ['zeros', '\0'.repeat(100)],
    ['not an object', '[1, 2]'],
    ['of wrong types', '{"type": "forked", "state": 7}'],
  ])('that is %s is set aside with its bytes, named, and hides no other', (_, content) => {
    put(sessionFile('bad'), content)
    put(sessionFile('good'), '{"type": "forked", "issue_ref": "a/b/c#1"}')
    expect(readSessions(home).map(({ name }) => name)).toEqual(['good'])
    const [aside, ...more] = asides(home.paths.sessions)
    expect(more).toEqual([])
    expect(fs.readFileSync(path.join(home.paths.sessions, aside ?? ''), 'utf8')).toBe(content)
    expect(home.warnings).toEqual([expect.stringContaining(sessionFile('bad'))])
    expect(home.warnings[0]).toContain(aside)
    expect(readSessions(home).map(({ name }) => name)).toEqual(['good'])
    expect(home.warnings).toHaveLength(1)
  })

  it('that is a directory is told of and hides no other', () => {
    fs.mkdirSync(sessionFile('bad'), { recursive: true })
    put(sessionFile('good'), '{"type": "forked"}')
    expect(readSessions(home).map(({ name }) => name)).toEqual(['good'])
    expect(home.warnings).toEqual([expect.stringContaining(sessionFile('bad'))])
  })
})

describe('all sessions', () => {
  it('come with base and PM agent first, then by name', () => {
    for (const name of ['zeta', 'pm-agent', 'alpha', 'base']) put(sessionFile(name), '{"type": "forked"}')
    put(path.join(home.paths.sessions, '.alpha.json.12.ab'), 'half written')
    put(path.join(home.paths.sessions, 'notes.txt'), 'mine')
    expect(readSessions(home).map(({ name }) => name)).toEqual(['base', 'pm-agent', 'alpha', 'zeta'])
    expect(home.warnings).toEqual([])
  })
})

describe('the index', () => {
  it('is undefined before there is one', () => {
    expect(readIndex(home)).toBeUndefined()
    expect(trackedRefs(home)).toEqual([])
  })

  it('keeps fields that kugetsu does not know', async () => {
    put(home.paths.index, '{"base": "ses_b", "schema": "bash-1", "issues": {"a/b/c#1": "a-b-c-1.json"}}')
    await changeIndex(home, (index) => ({ ...index, pm_agent: 'ses_p' }))
    expect(json(home.paths.index)).toEqual({
      base: 'ses_b',
      pm_agent: 'ses_p',
      schema: 'bash-1',
      issues: { 'a/b/c#1': 'a-b-c-1.json' },
    })
  })

  it('is rebuilt from the session files when it cannot be understood, its bytes kept', () => {
    put(sessionFile('base'), '{"type": "base", "opencode_session_id": "ses_b"}')
    put(sessionFile('a-b-c-1'), '{"type": "forked", "issue_ref": "a/b/c#1"}')
    put(home.paths.index, '{"base": ')
    const rebuilt = { base: 'ses_b', pm_agent: null, issues: { 'a/b/c#1': 'a-b-c-1.json' } }
    expect(readIndex(home)).toEqual(rebuilt)
    expect(json(home.paths.index)).toEqual(rebuilt)
    const [aside] = asides(home.paths.home)
    expect(fs.readFileSync(path.join(home.paths.home, aside ?? ''), 'utf8')).toBe('{"base": ')
    expect(home.warnings).toEqual([expect.stringContaining(aside ?? '')])
  })

  it('and the file go when a session is forgotten, the others stay', async () => {
    for (const number of [1, 2]) {
      put(sessionFile(`a-b-c-${number}`), JSON.stringify({ type: 'forked', issue_ref: `a/b/c#${number}` }))
    }
    put(home.paths.index, '{"issues": {"a/b/c#1": "a-b-c-1.json", "a/b/c#2": "a-b-c-2.json"}, "extra": 1}')
    await forgetSession(home, 'a-b-c-1')
    await forgetSession(home, 'a-b-c-1')
    expect(json(home.paths.index)).toEqual({ issues: { 'a/b/c#2': 'a-b-c-2.json' }, extra: 1 })
    expect(readSessions(home).map(({ name }) => name)).toEqual(['a-b-c-2'])
  })
})

describe('the name of an issue’s files', () => {
  it('is the ref, sanitised', () => {
    expect(nameOf(home, ref('github.com/shoko/kugetsu#14'))).toBe(issue14)
  })

  it('is another one where a different ref has that name already', () => {
    put(sessionFile('h.test-a-b-c-1'), '{"type": "forked", "issue_ref": "h.test/a/b-c#1"}')
    const other = nameOf(home, ref('h.test/a-b/c#1'))
    expect(other).not.toBe('h.test-a-b-c-1')
    expect(other.startsWith('h.test-a-b-c-1-')).toBe(true)
    expect(nameOf(home, ref('h.test/a/b-c#1'))).toBe('h.test-a-b-c-1')
  })

  it('is what the index says, but never leaves the directory of the sessions', () => {
    put(home.paths.index, '{"issues": {"a/b/c#1": "old-name.json", "a/b/c#2": "../../../etc/passwd"}}')
    expect(nameOf(home, ref('a/b/c#1'))).toBe('old-name')
    expect(nameOf(home, ref('a/b/c#2'))).toBe('a-b-c-2')
  })
})

describe('a home of the bash tool', () => {
  beforeEach(() => {
    home.cleanup()
    home = createServiceHome({ from: bashHome })
  })

  it('is read as it is', () => {
    expect(readSessions(home).map(({ name }) => name)).toEqual([
      'base',
      'pm-agent',
      'git.example.com-team-tool--discuss',
      issue14,
    ])
    expect(trackedRefs(home)).toEqual(['github.com/shoko/kugetsu#14', 'git.example.com/team/tool#-discuss'])
    expect(nameOf(home, ref('github.com/shoko/kugetsu#14'))).toBe(issue14)
    expect(readSession(home, issue14)).toMatchObject({ branch_name: 'fix/issue-14', state: 'idle' })
    expect(home.settings()).toMatchObject({ maxConcurrentAgents: 4, taskTimeoutHours: 1, warnings: [] })
    expect(home.warnings).toEqual([])
  })

  it('keeps what only the bash tool knows', async () => {
    const before = json(sessionFile(issue14))
    await changeSession(home, issue14, (current) => (current ? { ...current, state: 'running' } : undefined))
    expect(json(sessionFile(issue14))).toEqual({ ...before, state: 'running', updated_at: home.now().toISOString() })
    await changeIndex(home, (index) => ({ ...index, base: 'ses_new' }))
    expect(json(home.paths.index)).toMatchObject({ schema: 'bash-1', base: 'ses_new' })
  })

  it('shows its sessions in "kugetsu list", and is not changed by that', async () => {
    const user = createHome()
    try {
      fs.cpSync(bashHome, user.kugetsuDir, { recursive: true })
      const before = snapshot(user.kugetsuDir)
      const { json: views } = await runJson<Record<string, unknown>[]>(user, ['list', '--json'])
      expect(views.map((view) => [view['issue_ref'], view['state'], view['pr_url']])).toEqual([
        [null, 'idle', null],
        [null, 'idle', null],
        ['git.example.com/team/tool#-discuss', 'error', null],
        ['github.com/shoko/kugetsu#14', 'idle', 'https://github.com/shoko/kugetsu/pull/15'],
      ])
      const { stdout, stderr } = await run(user, ['list'])
      expect(stdout).toContain('ses_issue140000000000000000001')
      expect(stderr).toBe('')
      expect((await run(user, ['status'])).stdout.split('\n')[0]).toBe('ok')
      expect((await run(user, ['server', 'list'])).stdout).toContain('ssh://git@git.example.com:2222')
      expect(snapshot(user.kugetsuDir)).toEqual(before)
    } finally {
      await user.cleanup()
    }
  })
})

/** Every file under a directory with its content. */
function snapshot(directory: string): Record<string, string> {
  const files = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  return Object.fromEntries(
    files
      .filter((name) => fs.statSync(path.join(directory, name)).isFile())
      .map((name) => [name, fs.readFileSync(path.join(directory, name), 'utf8')]),
  )
}

describe('the name of an issue', () => {
  it('is the plain one for the repository with the shorter owner, whichever comes first', async () => {
    const longer = ref('forge.test/acme-w/api#2')
    const shorter = ref('forge.test/acme/w-api#2')
    const plain = 'forge.test-acme-w-api-2'
    expect(nameOf(home, longer)).toBe(plain)
    fs.mkdirSync(home.paths.mirror(shorter), { recursive: true })
    expect(nameOf(home, longer)).toMatch(new RegExp(`^${plain}-[0-9a-f]{8}$`))
    expect(nameOf(home, shorter)).toBe(plain)
  })

  it('stays that of its session', async () => {
    const longer = ref('forge.test/a-b/c/d#2')
    put(
      sessionFile('forge.test-a-b-c-d-2'),
      JSON.stringify({ type: 'forked', state: 'idle', issue_ref: 'forge.test/a-b/c/d#2' }),
    )
    fs.mkdirSync(home.paths.mirror(ref('forge.test/a/b-c-d#2')), { recursive: true })
    expect(nameOf(home, longer)).toBe('forge.test-a-b-c-d-2')
    expect(nameOf(home, { ...longer, id: '3' })).toMatch(/^forge\.test-a-b-c-d-3-[0-9a-f]{8}$/)
  })
})
