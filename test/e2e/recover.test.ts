import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runJson } from '../helpers/kugetsu.ts'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

interface Saved {
  id: string
  issue_ref: string
  expires_at: string
  summary: string
  commits: number
}

let stage: Stage
beforeAll(async () => {
  stage = await setStage()
})
afterAll(() => stage.cleanup())

const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', args, { cwd, env: stage.home.env, encoding: 'utf8', stdio: 'pipe' }).trim()
const saved = async () => (await runJson<Saved[]>(stage.home, ['recover', '--json'])).json
const statusOf = (cwd: string) => git(cwd, 'status', '--porcelain', '--ignored').split('\n')

/** Work of every kind, made by an agent. */
const mess = [
  'echo kept > kept.txt; git add kept.txt; git commit -qm "Not pushed"',
  'echo staged > README.md; git add README.md; echo changed > README.md',
  'echo "*.log" >> .git-ignore-me; echo "*.log" > .gitignore; echo ignored > x.log; echo new > "new file.txt"',
].join('; ')
let before: string[]
let head: string

describe('work that was destroyed', () => {
  beforeAll(async () => {
    await stage.ok(['start', ref(1), `BASH{{${mess}}} SAY{{I made a mess}}`, '--wait'])
    before = statusOf(stage.worktree(1))
    head = git(stage.worktree(1), 'rev-parse', 'HEAD')
    await stage.ok(['destroy', ref(1), '-y', '--force'])
  })

  it('is listed with its issue, what it is, and how long it is kept', async () => {
    const [only, ...more] = await saved()
    expect(more).toEqual([])
    expect(only).toMatchObject({
      issue_ref: ref(1),
      summary: '1 uncommitted change, 3 untracked files, 1 unpushed commit, 1 ignored file of fix/issue-1',
      commits: 1,
    })
    const text = await stage.ok(['recover'])
    expect(text).toMatch(/^ID +ISSUE_REF +SAVED +LEFT +WHAT\n/)
    expect(text).toMatch(new RegExp(`^${only?.id}  ${ref(1)}  \\d+[sm] +29d +1 uncommitted change`, 'm'))
  })

  it('comes back as it was, and the agent goes on with it', async () => {
    const said = await stage.ok(['recover', 'app#1'])
    expect(said).toMatch(
      /^Restored [0-9a-f]{8} of forge\.test\/me\/app#1\n[^]*branch +fix\/issue-1\n[^]*kugetsu continue/,
    )
    expect(before.map((line) => line.slice(0, 2)).sort()).toEqual(['!!', '??', '??', '??', 'MM'])
    expect(statusOf(stage.worktree(1))).toEqual(before)
    expect(git(stage.worktree(1), 'rev-parse', 'HEAD')).toBe(head)
    expect(git(stage.worktree(1), 'show', ':README.md')).toBe('staged')
    expect(fs.readFileSync(path.join(stage.worktree(1), 'README.md'), 'utf8')).toBe('changed\n')
    expect(await stage.session(1)).toMatchObject({ state: 'idle', worktree_path: stage.worktree(1) })

    await stage.ok(['continue', ref(1), 'BASH{{git add -A && git commit -qm "Tidied up"}} SAY{{done}}', '--wait'])
    expect(git(stage.worktree(1), 'log', '-2', '--format=%s').split('\n')).toEqual(['Tidied up', 'Not pushed'])
  })

  it('never goes over work that is there, and can be put elsewhere', async () => {
    const refused = await stage.kugetsu(['recover', ref(1)])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(
      /^Error: .*app#1 has a worktree: .*\nHint: .*recover [0-9a-f]{8} --to <directory>\n$/,
    )
    const [only] = await saved()
    const { json } = await runJson<{ path: string; branch: string }>(stage.home, [
      'recover',
      only?.id ?? '',
      '--to',
      'old',
      '--json',
    ])
    expect(json).toMatchObject({
      path: path.join(stage.home.cwd, 'old'),
      branch: `recovered/${only?.id}/fix/issue-1`,
    })
    expect(statusOf(json.path)).toEqual(before)
    expect((await stage.kugetsu(['recover', only?.id ?? '', '--to', 'old'])).stderr).toMatch(/^Error: /)
    expect(git(stage.worktree(1), 'log', '-1', '--format=%s')).toBe('Tidied up')
  })

  it('can be removed for good, which asks first', async () => {
    const [only] = await saved()
    const asked = await stage.kugetsu(['recover', '--drop', only?.id ?? ''])
    expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining('-y') })
    expect(await stage.ok(['recover', '--drop', only?.id ?? '', '-y'])).toContain(`Removed ${only?.id}`)
    expect(await stage.ok(['recover'])).toBe('Nothing is saved\n')
    for (const name of [ref(1), 'app#1']) {
      const unknown = await stage.kugetsu(['recover', name])
      expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing is saved as') })
    }
  })
})

it('what start --fresh takes away comes back', async () => {
  await stage.ok(['start', ref(1), 'SAY{{anew}}', '--fresh', '--wait'])
  expect(git(stage.worktree(1), 'log', '-1', '--format=%s')).not.toBe('Tidied up')
  await stage.ok(['destroy', ref(1), '-y'])
  await stage.ok(['recover', ref(1)])
  expect(git(stage.worktree(1), 'log', '-1', '--format=%s')).toBe('Tidied up')
  expect(statusOf(stage.worktree(1)).join()).not.toContain('??')
})

it('is restored over the half that a recover left which was killed', async () => {
  await stage.ok(['start', ref(2), `BASH{{${mess}}} SAY{{I made a mess}}`, '--wait'])
  const was = statusOf(stage.worktree(2))
  await stage.ok(['destroy', ref(2), '-y', '--force'])
  const mirror = path.join(stage.home.kugetsuDir, 'repos', 'forge.test', 'me', 'app.git')
  const half = ['worktree', 'add', '--no-checkout', '--lock', '-b', 'fix/issue-2', stage.worktree(2), 'origin/main']
  git(mirror, ...half)
  fs.writeFileSync(path.join(stage.worktree(2), 'README.md'), 'half')
  await stage.ok(['recover', ref(2)])
  expect(statusOf(stage.worktree(2))).toEqual(was)
  expect(git(stage.worktree(2), 'worktree', 'list', '--porcelain')).not.toContain('locked')
})

it('leaves no process behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
