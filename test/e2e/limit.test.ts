import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/sessions/status/session-view.ts'
import { startGitServer, type GitServer } from '../helpers/git-server.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { run, runJson, runOk } from '../helpers/kugetsu.ts'
import { startModel, type TestModel } from '../helpers/model.ts'
import { leftovers } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

const generous = { timeoutMs: 220_000 }

let model: TestModel
let git: GitServer
let home: Home

beforeAll(async () => {
  model = await startModel()
  git = await startGitServer()
  for (const name of ['me/app', 'me/a-b', 'me-a/b']) git.createRepository(name)
  home = createHome({ modelUrl: model.url })
  await runOk(home, ['server', 'add', 'forge.test', git.url])
  await runOk(home, ['init'])
})
afterAll(async () => {
  await home.cleanup()
  await git.stop()
  await model.close()
})

const at = (...parts: string[]) => path.join(home.kugetsuDir, ...parts)
const names = (directory: string) => fs.readdirSync(at(directory)).filter((name) => !name.startsWith('.'))
const slots = () => names('slots').filter((name) => name.endsWith('.slot'))
const setLimit = (limit: number) => fs.writeFileSync(at('config'), `MAX_CONCURRENT_AGENTS=${limit}\n`)

/** The sessions of issues, by their ref. */
async function sessions(): Promise<Map<string, SessionView>> {
  const { json } = await runJson<SessionView[]>(home, ['list', '--json'])
  return new Map(json.flatMap((view) => (view.issue_ref === null ? [] : [[view.issue_ref, view] as const])))
}

/** The session of an issue that must have one. */
async function session(ref: string): Promise<SessionView> {
  const view = (await sessions()).get(ref)
  if (view === undefined) throw new Error(`no session for ${ref}`)
  return view
}

describe('thirty starts at once with a limit of three', () => {
  const issues = Array.from({ length: 30 }, (_, index) => `forge.test/me/app#${index + 1}`)
  let running: SessionView[]

  it('start three agents and refuse the others, which leave nothing', async () => {
    setLimit(3)
    const starts = await Promise.all(
      issues.map((ref) => run(home, ['start', ref, 'GATE=thirty SAY{{one of thirty}}'], generous)),
    )
    const codes = starts.map(({ code }) => code)
    expect(codes.filter((code) => code === 0)).toHaveLength(3)
    expect(codes.filter((code) => code === 2)).toHaveLength(27)

    const started = issues.filter((_, index) => codes[index] === 0)
    const files = started.map((ref) => ref.replaceAll(/[/#]/g, '-')).sort()
    running = [...(await sessions()).values()]
    expect(running.map(({ issue_ref, state }) => [issue_ref, state]).sort()).toEqual(
      started.map((ref) => [ref, 'running']).sort(),
    )
    expect(names('worktrees').sort()).toEqual(files)
    expect(names('sessions').sort()).toEqual(['base', ...files, 'pm-agent'].map((name) => `${name}.json`))
    expect(slots()).toHaveLength(3)

    for (const { code, stdout, stderr } of starts) {
      if (code === 0) continue
      expect(stdout).toBe('')
      const [error, hint, ...more] = stderr.split('\n').filter((line) => /^(Error|Hint): /.test(line))
      expect(error).toMatch(/^Error: no free slot: 3 of 3 agents are at work \(.*\)$/)
      const named = [...(error ?? '').matchAll(/forge\.test\/me\/app#\d+/g)].map(String)
      expect(named).toHaveLength(3)
      expect(hint).toMatch(/^Hint: .*kugetsu wait forge\.test\/me\/app#\d+/)
      expect(more).toEqual([])
    }
  })

  it('are never more than three at the model', async () => {
    await waitFor(
      'three agents at the model',
      () => new Set(model.turns('thirty').map((t) => t.conversation)).size === 3,
    )
    expect(model.inFlight()).toBe(3)
    expect(model.peak()).toBe(3)
    expect(model.peakConversations()).toBe(3)
  })

  it('say by --json too who is at work', async () => {
    const { code, json } = await runJson<{ error: { code: string; message: string; hint: string } }>(home, [
      'start',
      'forge.test/me/app#31',
      'SAY{{never}}',
      '--json',
    ])
    expect(code).toBe(2)
    expect(json.error.code).toBe('no_free_slot')
    for (const { issue_ref } of running) expect(json.error.message).toContain(issue_ref)
  })

  it('make room when their agents have ended', async () => {
    model.release('thirty')
    await runOk(home, ['wait', ...running.map(({ issue_ref }) => issue_ref ?? '')])
    expect(slots()).toEqual([])
    await runOk(home, ['start', 'forge.test/me/app#31', 'SAY{{at last}}', '--wait'])
    expect(model.peakConversations()).toBe(3)
    expect(model.turns('never')).toEqual([])
  })
})

describe('two issues whose names sanitise to the same', () => {
  it('stay apart, also when started at once', async () => {
    const refs = ['forge.test/me/a-b#1', 'forge.test/me-a/b#1']
    const script = (ref: string) => `BASH{{echo "${ref}" > ref.txt && git add ref.txt && git commit -q -m "${ref}"}}`
    await Promise.all(refs.map((ref) => runOk(home, ['start', ref, script(ref), '--wait'], generous)))

    const views = await Promise.all(refs.map(session))
    for (const [index, view] of views.entries()) {
      expect(view).toMatchObject({ state: 'idle', branch: 'fix/issue-1' })
      const worktree = view.worktree_path ?? ''
      expect(fs.readFileSync(path.join(worktree, 'ref.txt'), 'utf8')).toBe(`${refs[index]}\n`)
      expect(fs.readFileSync(path.join(worktree, 'README.md'), 'utf8')).toBe(['# me/a-b\n', '# me-a/b\n'][index])
    }
    expect(new Set(views.map((view) => view.worktree_path)).size).toBe(2)
    expect(new Set(views.map((view) => view.opencode_session_id)).size).toBe(2)
    expect(names('sessions').filter((name) => name.startsWith('forge.test-me-a-b-1'))).toHaveLength(2)

    // And each finds its own again.
    for (const [index, ref] of refs.entries()) {
      await runOk(home, ['continue', ref, `SAY{{again ${index}}}`, '--wait'])
      const again = await session(ref)
      expect(again.opencode_session_id).toBe(views[index]?.opencode_session_id)
      expect(again.worktree_path).toBe(views[index]?.worktree_path)
    }
  })
})

describe('two starts of one issue at once', () => {
  it('make one agent, who gets both messages', async () => {
    const ref = 'forge.test/me/app#40'
    const script = (word: string) => `GATE=both BASH{{echo ${word} >> words.txt}} SAY{{said ${word}}}`
    const before = names('worktrees').length
    const starts = await Promise.all(
      ['first', 'second'].map((word) => run(home, ['start', ref, script(word)], generous)),
    )
    expect(starts.map(({ code, stderr }) => [code, stderr.includes('Error')])).toEqual([
      [0, false],
      [0, false],
    ])
    expect(slots()).toHaveLength(1)
    expect(names('worktrees')).toHaveLength(before + 1)
    const said = starts.map(({ stdout }) => /session\s+(\S+)/.exec(stdout)?.[1])
    expect(new Set(said)).toEqual(new Set([(await session(ref)).opencode_session_id]))
    const how = starts.map(({ stdout }) => stdout.split(ref)[0]?.trim() ?? '')
    expect(how.toSorted()).toEqual(['An agent works on', 'The message joins the work on'])

    model.release('both')
    await runOk(home, ['wait', ref])
    const { worktree_path, state } = await session(ref)
    expect(state).toBe('idle')
    // The scripted model obeys the last message; that it was told both is what counts.
    const told =
      model
        .turns('words.txt')
        .at(-1)
        ?.messages.map(({ text }) => text)
        .join('\n') ?? ''
    for (const word of ['first', 'second']) expect(told).toContain(script(word))
    // Which of the two it was about to do when the other joined depends on the moment.
    expect(fs.readFileSync(path.join(worktree_path ?? '', 'words.txt'), 'utf8')).toMatch(/first|second/)
    expect(new Set(model.turns('words.txt').map((turn) => turn.conversation)).size).toBe(1)
    expect(slots()).toEqual([])
  })
})

describe('continue', () => {
  const ref = 'forge.test/me/app#50'
  let before: SessionView

  it('steers an agent that is at work, also when no slot is free', async () => {
    setLimit(1)
    await runOk(home, ['start', ref, 'GATE=steer BASH{{echo begun > begun.txt}} SAY{{not said any more}}'])
    await model.turn('GATE=steer')
    before = await session(ref)
    expect((await run(home, ['start', 'forge.test/me/app#51', 'SAY{{no room}}'])).code).toBe(2)

    const steered = await runOk(home, ['continue', ref, 'BASH{{cat begun.txt > seen.txt}} SAY{{steered well}}'])
    expect(steered.stdout).toContain('The message joins the work on')
    expect(slots()).toHaveLength(1)
    expect((await session(ref)).opencode_session_id).toBe(before.opencode_session_id)

    model.release('steer')
    await runOk(home, ['wait', ref])
    const after = await session(ref)
    expect(after).toMatchObject({ state: 'idle', opencode_session_id: before.opencode_session_id })
    expect(fs.readFileSync(path.join(after.worktree_path ?? '', 'seen.txt'), 'utf8')).toBe('begun\n')
    expect(slots()).toEqual([])
    const transcript = await runOk(home, ['logs', ref])
    expect(transcript.stdout).toContain('steered well')
    expect(transcript.stdout.match(/finished after/g)).toHaveLength(1)
  })

  it('gives an idle agent a new task in the session and worktree it has, with its whole history', async () => {
    const continued = await runOk(home, ['continue', ref, 'BASH{{cp seen.txt third.txt}} SAY{{third time}}', '--wait'])
    expect(continued.stdout).toContain('The agent goes on with')
    const after = await session(ref)
    expect(after.opencode_session_id).toBe(before.opencode_session_id)
    expect(fs.readFileSync(path.join(after.worktree_path ?? '', 'third.txt'), 'utf8')).toBe('begun\n')
    const [request] = model.turns('third.txt')
    const history = request?.messages.map(({ text }) => text).join('\n') ?? ''
    expect(history).toContain('begun.txt')
    expect(history).toContain('steered well')
  })

  it('starts an agent for an issue that has none', async () => {
    await runOk(home, ['continue', 'forge.test/me/app#52', 'SAY{{made for it}}', '--wait'])
    expect(await session('forge.test/me/app#52')).toMatchObject({ state: 'idle', branch: 'fix/issue-52' })
  })

  it('needs a slot for a new run, and waits for it in the queue', async () => {
    await runOk(home, ['start', 'forge.test/me/app#53', 'GATE=last SAY{{holding the slot}}'])
    const file = at('sessions', 'forge.test-me-app-50.json')
    const untouched = JSON.parse(fs.readFileSync(file, 'utf8')) as { state: string; run: unknown }
    const queued = await runOk(home, ['continue', ref, 'SAY{{no slot}}'])
    expect(queued.stdout).toMatch(/^Queued forge\.test\/me\/app#50 as q_\d+, ahead of new work; no daemon takes tasks/)
    const refused = await run(home, ['continue', 'forge.test/me/app#54', 'SAY{{no session either}}'])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('1 of 1 agents are at work (forge.test/me/app#53)')
    expect(JSON.parse(fs.readFileSync(file, 'utf8'))).toEqual(untouched)
    // But for a person who wants it now.
    const now = await runOk(home, ['continue', ref, 'GATE=now SAY{{over the limit}}', '--now'])
    expect(now.stdout).toContain('The agent goes on with')
    expect(slots()).toHaveLength(2)
    const env = { KUGETSU_AGENT: 'pm-agent' }
    expect(await run(home, ['continue', ref, 'x', '--now'], { env })).toMatchObject({ code: 1 })
    expect((await run(home, ['start', 'forge.test/me/app#54', 'SAY{{no slot}}'])).code).toBe(2)
    model.release('now')
    // The message that was queued is still to be done, and nothing does it.
    const waited = await run(home, ['wait', ref])
    expect(waited).toMatchObject({ code: 1, stderr: expect.stringContaining('no daemon takes tasks from it') })
    await runOk(home, ['queue', 'remove', /q_\d+/.exec(queued.stdout)?.[0] ?? ''])
    await runOk(home, ['wait', ref])
    model.release('last')
    await runOk(home, ['wait', 'forge.test/me/app#53'])
  })
})

it('leaves no process behind', async () => {
  await home.cleanup()
  expect(leftovers(home.root)).toEqual([])
})
