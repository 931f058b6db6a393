/** `kugetsu path`, `open` and `push`: with a real worktree, a real git server, and scripts as editor and browser. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHttpGitServer, type HttpGitServer } from '../helpers/http-git-server.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { hasTerminals, openTerminal } from '../helpers/terminal.ts'

const token = 'kg-canary-77aa01'

let stage: Stage
let forge: HttpGitServer
const told = () => path.join(stage.home.root, 'told')
/** A program that writes its arguments, one a line, and its directory into a file, and ends with that code. */
const program = (name: string, code = 0) => {
  const file = path.join(stage.home.root, name)
  const script = `#!/bin/sh\n{ pwd; printf '%s\\n' "$@"; } > '${told()}'\nexit ${code}\n`
  fs.writeFileSync(file, script, { mode: 0o755 })
  return file
}
const toldLines = () => fs.readFileSync(told(), 'utf8').trimEnd().split('\n')
const git = (number: number, ...args: string[]) =>
  execFileSync('git', args, { cwd: stage.worktree(number), env: stage.home.env, encoding: 'utf8' }).trim()
const commit = (number: number, name: string) => {
  fs.writeFileSync(path.join(stage.worktree(number), name), name)
  git(number, 'add', '.')
  git(number, 'commit', '-q', '-m', `Add ${name}`)
}
const onRemote = (branch: string) => stage.git.commitsOn('me/app', branch).map(({ subject }) => subject)
const refused = async (args: string[], env: Record<string, string> = {}) => {
  const { code, stdout, stderr } = await stage.kugetsu(args, { env })
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^Error: [^\n]+\nHint: [^\n]+\n$/)
  return stderr
}
const error = async (args: string[], env: Record<string, string> = {}) =>
  (await runJson<{ error: { code: string; message: string } }>(stage.home, [...args, '--json'], { env })).json.error

beforeAll(async () => {
  // The faster one, where it is installed.
  const found = opencode2Program()
  const env = 'program' in found ? { KUGETSU_OPENCODE: found.program } : {}
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 3 }, env })
  const repositories = path.dirname(path.dirname(stage.git.pathOf('me/app')))
  forge = await startHttpGitServer({ repositories, allow: (login) => login === `oauth2:${token}` })
  await stage.ok(['start', ref(1), 'SAY{{one}}', '--wait'])
})
afterAll(async () => {
  await stage.cleanup()
  await forge.stop()
})

describe('path', () => {
  it('prints the path alone', async () => {
    expect(await stage.ok(['path', 'app#1'])).toBe(`${stage.worktree(1)}\n`)
    expect(JSON.parse(await stage.ok(['path', '1', '--json']))).toEqual({
      issue_ref: ref(1),
      path: stage.worktree(1),
    })
  })

  it('of several refs prints those there are, and the error of the others', async () => {
    const { code, stdout, stderr } = await stage.kugetsu(['path', 'app#9', 'app#1', 'nonsense'])
    expect([code, stdout]).toEqual([1, `${stage.worktree(1)}\n`])
    expect(stderr.match(/^Error: /gm)).toHaveLength(2)
    expect(stderr).toContain('app#9')
  })

  it('of a worktree that is gone says how to go on', async () => {
    const moved = `${stage.worktree(1)}-moved`
    fs.renameSync(stage.worktree(1), moved)
    expect(await refused(['path', 'app#1'])).toMatch(
      /is gone: .*\n.*kugetsu continue forge.test\/me\/app#1.*kugetsu recover/,
    )
    fs.renameSync(moved, stage.worktree(1))
  })
})

describe('open', () => {
  it('runs the editor with its arguments in the worktree, and passes its exit code on', async () => {
    const editor = program('my editor', 7)
    const env = { EDITOR: 'false', VISUAL: `'${editor}' -n --wait "two words"` }
    expect((await stage.kugetsu(['open', 'app#1'], { env })).code).toBe(7)
    expect(toldLines()).toEqual([stage.worktree(1), '-n', '--wait', 'two words', stage.worktree(1)])
  })

  it('takes a path with blanks that has no quotes', async () => {
    await stage.ok(['open', 'app#1'], { env: { EDITOR: program('other editor') } })
    expect(toldLines()).toEqual([stage.worktree(1), stage.worktree(1)])
  })

  it('runs no shell, and nothing that a shell would expand', async () => {
    const mark = path.join(stage.home.root, 'mark')
    for (const EDITOR of [
      `true; touch ${mark}`,
      `$(touch ${mark})`,
      `true | touch ${mark}`,
      `true > ${mark}`,
      'x $HOME',
    ]) {
      const said = await refused(['open', 'app#1'], { EDITOR })
      expect(said, EDITOR).toMatch(/EDITOR is not a program with arguments/)
    }
    expect(fs.existsSync(mark)).toBe(false)
  })

  it('says what to do without an editor, and with one that is missing', async () => {
    expect(await refused(['open', 'app#1'])).toMatch(/neither VISUAL nor EDITOR.*\n.*kugetsu path/)
    expect(await error(['open', 'app#1'], { EDITOR: 'no-such-editor -n' })).toMatchObject({
      code: 'program_missing',
      message: expect.stringContaining('no-such-editor (from EDITOR)') as string,
    })
  })

  it.skipIf(!hasTerminals)('leaves the terminal to the editor, and Ctrl-C too', async () => {
    const file = path.join(stage.home.root, 'asks')
    const script =
      '#!/bin/sh\ntrap "echo caught" INT\necho ready\nuntil read -r line; do :; done\necho "said $line"\nexit 3\n'
    fs.writeFileSync(file, script, { mode: 0o755 })
    stage.home.env['EDITOR'] = file
    const terminal = openTerminal(stage.home, ['open', 'app#1'])
    try {
      await terminal.until(/ready/)
      terminal.type('\u0003')
      await terminal.until(/caught/)
      terminal.type('hello\r')
      await terminal.until(/said hello/)
      expect(await terminal.ended).toBe(3)
    } finally {
      terminal.close()
      delete stage.home.env['EDITOR']
    }
  })
})

describe('open --web', () => {
  it('of a server without web pages says so', async () => {
    expect(await error(['open', 'app#1', '--web'], { BROWSER: 'true' })).toMatchObject({ code: 'no_page' })
  })

  it('opens the issue, and the pull request once there is one', async () => {
    await stage.ok([
      'server',
      'add',
      'forge.test',
      stage.git.url,
      '--type',
      'gitea',
      '--api',
      'http://127.0.0.1:9/api/v1',
    ])
    const env = { BROWSER: `${program('browser')} --new` }
    expect(await stage.ok(['open', 'app#1', '--web'], { env })).toBe('Opened http://127.0.0.1:9/me/app/issues/1\n')
    expect(toldLines().slice(1)).toEqual(['--new', 'http://127.0.0.1:9/me/app/issues/1'])
    await stage.ok(['set-pr', 'app#1', 'http://127.0.0.1:9/me/app/pulls/5'])
    await stage.ok(['open', 'app#1', '--web'], { env })
    expect(toldLines().at(-1)).toBe('http://127.0.0.1:9/me/app/pulls/5')
    await stage.ok(['open', 'app#1', '--issue'], { env })
    expect(toldLines().at(-1)).toBe('http://127.0.0.1:9/me/app/issues/1')
  })

  it('without a display or a browser names the page, and fails as gh does', async () => {
    const page = 'http://127.0.0.1:9/me/app/pulls/5'
    expect(await refused(['open', 'app#1', '--web'])).toMatch(`no display for a browser; the page is ${page}\n`)
    const PATH = path.dirname(process.execPath)
    expect(await refused(['open', 'app#1', '--web'], { DISPLAY: ':0', PATH })).toMatch(`; the page is ${page}\n`)
    expect(await refused(['open', 'app#1', '--web'], { BROWSER: 'false' })).toMatch(`; the page is ${page}\n`)
  })

  it.skipIf(process.platform === 'darwin')('uses the opener of the system', async () => {
    const directory = path.join(stage.home.root, 'openers')
    fs.mkdirSync(directory)
    fs.renameSync(program('xdg-open'), path.join(directory, 'xdg-open'))
    const env = { DISPLAY: ':0', PATH: `${directory}:${stage.home.env['PATH']}` }
    await stage.ok(['open', 'app#1', '--web'], { env })
    expect(toldLines().at(-1)).toBe('http://127.0.0.1:9/me/app/pulls/5')
  })
})

describe('push', () => {
  it('has nothing to do while the branch has no commits', async () => {
    expect(await stage.ok(['push', 'app#1'])).toMatch(/^Nothing to push/)
    expect(stage.git.branches('me/app')).toEqual(['main'])
  })

  it('pushes the commits, says how many and what is left, and runs no hook', async () => {
    commit(1, 'a.txt')
    commit(1, 'b.txt')
    fs.writeFileSync(path.join(stage.worktree(1), 'loose.txt'), '')
    const hooks = path.join(git(1, 'rev-parse', '--path-format=absolute', '--git-common-dir'), 'hooks')
    fs.mkdirSync(hooks, { recursive: true })
    fs.writeFileSync(path.join(hooks, 'pre-push'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    const said = await stage.ok(['push', 'app#1'])
    expect(said).toMatch(
      /^Pushed 2 commits of forge.test\/me\/app#1 to fix\/issue-1\n {2}1 file not committed, so not pushed\n/,
    )
    expect(said).toContain('Pull request: http://127.0.0.1:9/me/app/pulls/5')
    expect(onRemote('fix/issue-1')).toEqual(['Add b.txt', 'Add a.txt', 'First commit'])
    expect(git(1, 'rev-parse', 'refs/remotes/origin/fix/issue-1')).toBe(git(1, 'rev-parse', 'HEAD'))
    expect(await stage.ok(['push', 'app#1'])).toMatch(/^Nothing to push/)
  })

  it('says of a first push where a pull request is opened', async () => {
    await stage.ok(['start', ref(2), 'BASH{{git commit -q --allow-empty -m "By the agent"}}', '--wait'])
    const said = JSON.parse(await stage.ok(['push', 'app#2', '--json'])) as object
    expect(said).toEqual({
      issue_ref: ref(2),
      branch: 'fix/issue-2',
      remote: `${stage.git.url}/me/app.git`,
      commits: 1,
      uncommitted: 0,
      agent_at_work: false,
      pr_url: null,
      new_pr_url: 'http://127.0.0.1:9/me/app/compare/main...fix/issue-2',
    })
  })

  it('goes where kugetsu knows the repository to be, whatever an agent has set', async () => {
    const other = stage.git.createRepository('me/other')
    commit(1, 'c.txt')
    git(1, 'config', 'remote.origin.pushurl', other)
    git(1, 'config', `url.${other}.pushInsteadOf`, `${stage.git.url}/me/app.git`)
    git(1, 'config', 'push.followTags', 'true')
    git(1, 'tag', '-a', 'v1', '-m', 'mine')
    expect(await stage.ok(['push', 'app#1'])).toMatch(/^Pushed 1 commit /)
    expect(onRemote('fix/issue-1')[0]).toBe('Add c.txt')
    expect(stage.git.branches('me/other')).toEqual(['main'])
    const tags = execFileSync('git', ['tag'], { cwd: stage.git.pathOf('me/app'), encoding: 'utf8' })
    expect(tags).toBe('')
    for (const name of ['remote.origin.pushurl', `url.${other}.pushInsteadOf`]) git(1, 'config', '--unset', name)
  })

  it('refuses when the remote has commits that are not here, and pushes nothing', async () => {
    stage.git.commit('me/app', 'fix/issue-1', { 'theirs.txt': '' }, 'Theirs')
    commit(1, 'd.txt')
    expect(await error(['push', 'app#1'])).toMatchObject({ code: 'remote_ahead' })
    // Known here, but not part of the branch.
    git(1, 'fetch', '-q', 'origin')
    expect(await refused(['push', 'app#1'])).toMatch(/has commits that are not in .*\n.*kugetsu continue/)
    expect(onRemote('fix/issue-1')[0]).toBe('Theirs')
    git(1, 'merge', '-q', '-m', 'Merge', 'origin/fix/issue-1')
    expect(await stage.ok(['push', 'app#1'])).toMatch(/^Pushed 2 commits/)
  })

  it('refuses the default branch, no branch, and files of git-lfs', async () => {
    git(2, 'switch', '-q', '--detach')
    expect(await error(['push', 'app#2'])).toMatchObject({ code: 'detached_head' })
    git(2, 'switch', '-q', '-c', 'main', '--no-track', 'origin/main')
    git(2, 'commit', '-q', '--allow-empty', '-m', 'On main')
    expect(await error(['push', 'app#2'])).toMatchObject({ code: 'base_branch' })
    git(2, 'switch', '-q', '-c', 'big')
    fs.writeFileSync(path.join(stage.worktree(2), '.gitattributes'), '*.bin filter=lfs diff=lfs merge=lfs -text\n')
    git(2, 'add', '.')
    git(2, 'commit', '-q', '-m', 'Use git-lfs')
    const store = path.join(git(2, 'rev-parse', '--path-format=absolute', '--git-common-dir'), 'lfs', 'objects', 'aa')
    fs.mkdirSync(store, { recursive: true })
    fs.writeFileSync(path.join(store, 'aa'), 'big')
    expect(await refused(['push', 'app#2'])).toMatch(/git-lfs.*\n.*git -C .* push -u origin HEAD/)
    expect(stage.git.branches('me/app')).toEqual(['fix/issue-1', 'fix/issue-2', 'main'])
  })

  it('tells what the remote says when it refuses', async () => {
    const hook = path.join(stage.git.pathOf('me/app'), 'hooks', 'pre-receive')
    fs.mkdirSync(path.dirname(hook), { recursive: true })
    fs.writeFileSync(hook, '#!/bin/sh\necho "branch is protected" >&2\nexit 1\n', { mode: 0o755 })
    commit(1, 'e.txt')
    expect(await error(['push', 'app#1'])).toMatchObject({
      code: 'push_failed',
      message: expect.stringMatching(/pre-receive hook declined.*branch is protected/) as string,
    })
    fs.rmSync(hook)
  })

  it("logs in with the agents' token, and says when an agent is at work", async () => {
    await stage.ok(['server', 'add', 'private', forge.url, '--type', 'gitea'])
    await stage.ok(['env', 'set', 'PRIVATE_TOKEN', '-', 'dev'], { input: `${token}\n` })
    await stage.ok(['start', 'private/me/app#7', 'BASH{{git commit -q --allow-empty -m Seven}} GATE=go SAY{{late}}'])
    const repository = stage.git.pathOf('me/app')
    execFileSync('git', ['config', 'http.receivepack', 'true'], { cwd: repository })
    const place = (await stage.ok(['path', 'private/me/app#7'])).trim()
    execFileSync('git', ['commit', '-q', '--allow-empty', '-m', 'By hand'], { cwd: place, env: stage.home.env })
    const said = await stage.ok(['push', 'private/me/app#7'])
    expect(said).toMatch(/^Pushed 1 commit .*\n {2}Its agent is at work/)
    expect(said).toContain(`Open a pull request: ${forge.url}/me/app/compare/main...fix/issue-7`)
    expect(onRemote('fix/issue-7')[0]).toBe('By hand')
    expect(forge.requests.some(({ url, login }) => url.includes('receive-pack') && login !== undefined)).toBe(true)
    stage.model.release('go')
    await stage.ok(['wait', 'private/me/app#7'])
  })
})
