import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/sessions/status/session-view.ts'
import { startGitServer, type GitServer } from '../helpers/git-server.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { runJson, runOk } from '../helpers/kugetsu.ts'
import { startModel, type TestModel } from '../helpers/model.ts'
import { leftovers } from '../helpers/processes.ts'

describe('an agent on an issue', () => {
  let model: TestModel
  let git: GitServer
  let home: Home

  beforeAll(async () => {
    model = await startModel()
    git = await startGitServer()
    git.createRepository('me/app', { 'README.md': 'hello\n' })
    home = createHome({ modelUrl: model.url, findsProviders: true })
    await runOk(home, ['server', 'add', 'forge.test', git.url])
  })
  afterAll(async () => {
    await home.cleanup()
    await git.stop()
    await model.close()
  })

  it('is initialised without a terminal and without asking the model anything', async () => {
    const said = await runOk(home, ['init'])
    expect(said.stdout).toContain('Initialised')
    expect(model.requests).toEqual([])
    const { json } = await runJson<SessionView[]>(home, ['list', '--json'])
    expect(json.map(({ type, state }) => [type, state])).toEqual([
      ['base', 'idle'],
      ['pm_agent', 'idle'],
    ])
  })

  it('works in a worktree of its own, on its own branch, and its work can be seen', async () => {
    const script =
      'BASH{{echo fixed > fix.txt && git add fix.txt && git commit -q -m "Fix it" && pwd}} SAY{{I fixed it.}}'
    const started = await runOk(home, ['start', 'forge.test/me/app#14', script])
    expect(started.stdout).toContain('fix/issue-14')
    const ended = await runOk(home, ['wait', 'app#14'])
    expect(ended.stdout).toContain('idle  forge.test/me/app#14')

    const { json } = await runJson<SessionView[]>(home, ['list', '--json'])
    const [, , session] = json
    expect(session).toMatchObject({
      issue_ref: 'forge.test/me/app#14',
      state: 'idle',
      branch: 'fix/issue-14',
      base_branch: 'main',
    })
    const worktree = session?.worktree_path ?? ''
    expect(worktree).toBe(path.join(home.kugetsuDir, 'worktrees', 'forge.test-me-app-14'))
    expect(fs.readFileSync(path.join(worktree, 'fix.txt'), 'utf8')).toBe('fixed\n')
    expect(fs.readdirSync(path.join(home.kugetsuDir, 'base'))).toEqual([])

    const transcript = await runOk(home, ['logs', 'app#14'])
    expect(transcript.stdout).toContain('I fixed it.')
    expect(transcript.stdout).toContain(worktree)
    expect(transcript.stdout).toContain('finished after')
  })

  it('leaves no process behind', async () => {
    await home.cleanup()
    expect(leftovers(home.root)).toEqual([])
  })
})
