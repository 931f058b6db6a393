import { execFile } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { credentialVariables, helperCommand } from '../../src/core/credential-helper.ts'
import { selfSigned, startHttpGitServer, type HttpGitServer } from '../helpers/http-git-server.ts'
import { kugetsuCommand, spawnKugetsu } from '../helpers/kugetsu.ts'
import { leftovers } from '../helpers/processes.ts'
import { setStage, type Stage } from '../helpers/stage.ts'
import { commandLinesWith, filesWith } from '../helpers/traces.ts'
import { waitFor } from '../helpers/wait-for.ts'

const token = 'kg-canary-4f6d0c9e71b2'
const withToken = `oauth2:${token}`
const usersOwn = 'mika:the-users-own-password'

let stage: Stage
let forge: HttpGitServer
/** Somebody else's, who would like to have the token. */
let stranger: HttpGitServer

beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 3 } })
  const repositories = path.dirname(path.dirname(stage.git.pathOf('me/app')))
  stranger = await startHttpGitServer({ repositories, allow: () => false })
  forge = await startHttpGitServer({
    repositories,
    allow: (login) => login === withToken || login === usersOwn,
    redirect: (url, login) => {
      if (url.startsWith('/me/moved.git')) return `${stranger.url}${url}`
      return url.startsWith('/me/trap.git') && login !== undefined ? `${stranger.url}${url}` : undefined
    },
  })
  await stage.ok(['server', 'add', 'private', forge.url, '--type', 'gitea'])
})
afterAll(async () => {
  await stage.cleanup()
  await forge.stop()
  await stranger.stop()
})

const ref = (number: number) => `private/me/app#${number}`
const inWorktree = (number: number, name: string) =>
  fs.readFileSync(path.join(stage.home.kugetsuDir, 'worktrees', `private-me-app-${number}`, name), 'utf8')
const logins = (server: HttpGitServer) => [...new Set(server.requests.map(({ login }) => login))]

describe('a repository that asks for a login', () => {
  it('without a token is an error that says how to give one, and leaves nothing', async () => {
    const said = await stage.kugetsu(['start', ref(1), 'SAY{{never}}'])
    expect(said.code).toBe(1)
    expect(said.stderr).toContain('authentication failed')
    expect(said.stderr).toContain(`kugetsu env set GITEA_TOKEN - dev`)
    expect(fs.existsSync(path.join(stage.home.kugetsuDir, 'repos', 'private', 'me', 'app.git'))).toBe(false)
    expect(stage.slots()).toEqual([])
    expect(logins(forge)).toEqual([undefined])
  })

  it('is cloned with the token of its server, which no process shows', async () => {
    await stage.ok(['env', 'set', 'GITEA_TOKEN', '-', 'dev'], { input: `${token}\n` })
    const gate = forge.hold()
    const push = 'git commit -q --allow-empty -m "By the agent" && git push -q 2> push.txt; echo "push: $?" >> push.txt'
    const elsewhere = [`${stranger.url}/me/app`, `${forge.url}/me/moved`, `${forge.url}/me/trap`]
      .map((url) => `git ls-remote ${url}.git >> strangers.txt 2>&1`)
      .join('; ')
    const starting = spawnKugetsu(stage.home, ['start', ref(1), `BASH{{${push}}} BASH{{${elsewhere}}}`])
    await waitFor('a clone that is under way', () => gate.held() > 0)
    expect(leftovers(stage.home.root).some(({ command }) => /\bgit\b.* clone /.test(command))).toBe(true)
    expect(commandLinesWith(token)).toEqual([])
    gate.release()
    const { code, stderr } = await starting.finished
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.not.stringContaining('Error') })
    await stage.ok(['wait', ref(1)])
  })

  it('is pushed to from the shell of the agent', () => {
    expect(inWorktree(1, 'push.txt')).toBe('push: 0\n')
    expect(stage.git.commitsOn('me/app', 'fix/issue-1')[0]?.subject).toBe('By the agent')
    expect(forge.requests.some(({ url, login }) => url.includes('git-receive-pack') && login === withToken)).toBe(true)
    expect(logins(forge)).toEqual([undefined, withToken])
  })

  it('is the only one to get the token: not another server, nor one it sends git to', () => {
    const refused = inWorktree(1, 'strangers.txt')
    expect(refused).toContain(`kugetsu: no token for ${stranger.host}.`)
    expect(refused).not.toContain(token)
    for (const name of ['app', 'moved', 'trap']) {
      expect(stranger.requests.some(({ url }) => url.startsWith(`/me/${name}.git`))).toBe(true)
    }
    expect(logins(stranger)).toEqual([undefined])
  })

  it('is fetched with it for the next issue', async () => {
    const before = forge.requests.length
    await stage.ok(['start', ref(2), 'SAY{{fetched}}', '--wait'])
    expect(forge.requests.slice(before).some(({ login }) => login === withToken)).toBe(true)
  })

  it('is asked with it by a filter, as that of git-lfs does, at the checkout and when saved files come back', async () => {
    const smudge = path.join(stage.home.root, 'smudge')
    fs.writeFileSync(
      smudge,
      `#!/bin/sh\ngit ls-remote -q ${forge.url}/me/app.git HEAD > /dev/null && sed s/pointer/content/\n`,
    )
    fs.chmodSync(smudge, 0o755)
    const set = (name: string, value: string) =>
      promisify(execFile)('git', ['config', '--global', `filter.lfs.${name}`, value], { env: stage.home.env })
    await set('smudge', smudge)
    await set('clean', 'sed s/content/pointer/')
    await set('required', 'true')
    stage.git.commit('me/app', 'main', { '.gitattributes': '*.big filter=lfs\n', 'one.big': 'pointer\n' })
    await stage.ok(['start', ref(6), 'BASH{{cp one.big two.big; git add two.big}}', '--wait'])
    expect([inWorktree(6, 'one.big'), inWorktree(6, 'two.big')]).toEqual(['content\n', 'content\n'])
    await stage.ok(['destroy', ref(6), '-y', '--force'])
    await stage.ok(['recover', ref(6)])
    expect([inWorktree(6, 'one.big'), inWorktree(6, 'two.big')]).toEqual(['content\n', 'content\n'])
  })

  it('leaves the token in the env file alone', () => {
    expect(filesWith(stage.home.root, token)).toEqual(['.kugetsu/env/dev.env'])
  })

  it('says that a token is refused, to the agent and to the person', async () => {
    await stage.ok(['env', 'set', 'GITEA_TOKEN', '-', 'dev'], { input: 'kg-outdated-token\n' })
    await stage.ok(['start', ref(1), 'BASH{{git fetch -q 2> fetch.txt; echo "fetch: $?" >> fetch.txt}}', '--wait'])
    expect(inWorktree(1, 'fetch.txt')).toContain(`kugetsu: ${forge.host} refuses the token in GITEA_TOKEN\n`)
    expect(inWorktree(1, 'fetch.txt')).toMatch(/fetch: 128\n$/)
    const said = await stage.kugetsu(['start', ref(3), 'SAY{{never}}'])
    expect(said).toMatchObject({ code: 1, stderr: expect.stringContaining('Is the token in GITEA_TOKEN valid') })
    expect(said.stderr).not.toContain('kg-outdated-token')
    await stage.ok(['env', 'set', 'GITEA_TOKEN', '-', 'dev'], { input: `${token}\n` })
  })

  /** Runs `work` while the user has a credential helper of their own that answers `get` with those lines; what it was told. */
  async function withUsersHelper(answers: string[], work: () => Promise<void>): Promise<string> {
    const gitconfig = path.join(stage.home.root, 'gitconfig')
    const before = fs.readFileSync(gitconfig, 'utf8')
    const log = path.join(stage.home.root, 'helper.log')
    const answer = answers.map((line) => `echo ${line};`).join(' ')
    const script = `f() { { echo "$1"; cat; } >> ${log}; if [ "$1" = get ]; then :; ${answer} fi; }; f`
    fs.writeFileSync(gitconfig, `${before}[credential]\n\thelper = "!${script.replace(/["\\]/g, '\\$&')}"\n`)
    try {
      await work()
      return fs.readFileSync(log, 'utf8')
    } finally {
      fs.rmSync(log, { force: true })
      fs.writeFileSync(gitconfig, before)
    }
  }

  it("is left to the user's own credential helper where there is one", async () => {
    const [username, password] = usersOwn.split(':')
    const seen = forge.requests.length
    const told = await withUsersHelper([`username=${username}`, `password=${password}`], async () => {
      await stage.ok(['start', ref(3), 'BASH{{git fetch -q 2> fetch.txt; echo "fetch: $?" >> fetch.txt}}', '--wait'])
      expect(inWorktree(3, 'fetch.txt')).toBe('fetch: 0\n')
    })
    expect(new Set(forge.requests.slice(seen).map(({ login }) => login))).toEqual(new Set([undefined, usersOwn]))
    expect(told).toMatch(/^get\n[^]*^store\n/m)
  })

  it('is so even where that helper has no login: it would be told the token, to store it', async () => {
    const seen = forge.requests.length
    const told = await withUsersHelper([], async () => {
      expect(await stage.kugetsu(['start', ref(4), 'SAY{{never}}'])).toMatchObject({ code: 1 })
    })
    expect(told).toMatch(/^get\n/)
    expect(told).not.toContain(token)
    expect(new Set(forge.requests.slice(seen).map(({ login }) => login))).toEqual(new Set([undefined]))
    expect(filesWith(stage.home.root, token)).toEqual(['.kugetsu/env/dev.env'])
  })
})

it('an address in repos.json has a token by its own name', async () => {
  const twin = await startHttpGitServer({
    repositories: path.dirname(path.dirname(stage.git.pathOf('me/app'))),
    allow: (login) => login === 'oauth2:twin-token',
  })
  try {
    const file = path.join(stage.home.kugetsuDir, 'repos.json')
    fs.writeFileSync(file, JSON.stringify({ 'forge.test/me/twin': `${twin.url}/me/app.git` }))
    const refused = await stage.kugetsu(['start', 'forge.test/me/twin#1', 'SAY{{never}}'])
    const [, name = ''] = /kugetsu env set (\w+) - dev/.exec(refused.stderr) ?? []
    expect(name).toBe(`_${twin.host.replace(/\W/g, '_')}_TOKEN`)
    await stage.ok(['env', 'set', name, '-', 'default'], { input: 'twin-token' })
    await stage.ok(['start', 'forge.test/me/twin#1', 'SAY{{from the twin}}', '--wait'])
    expect(logins(twin)).toEqual([undefined, 'oauth2:twin-token'])
  } finally {
    await twin.stop()
  }
})

it('https is logged in to as well', async ({ skip }) => {
  const certificate = selfSigned(stage.home.root)
  if (certificate === undefined) return skip('no openssl to make a certificate with')
  const secure = await startHttpGitServer({
    repositories: path.dirname(path.dirname(stage.git.pathOf('me/app'))),
    allow: (login) => login === 'x-access-token:secure-token',
    tls: certificate,
  })
  try {
    await stage.ok(['server', 'add', 'secure', secure.url, '--type', 'github'])
    await stage.ok(['env', 'set', 'SECURE_TOKEN', '-', 'dev'], { input: 'secure-token' })
    const helper = helperCommand(stage.home.kugetsuDir, kugetsuCommand)
    const env = { ...stage.home.env, GIT_SSL_CAINFO: certificate.file, GIT_TERMINAL_PROMPT: '0' }
    const { stdout } = await promisify(execFile)('git', ['ls-remote', `${secure.url}/me/app.git`, 'HEAD'], {
      env: { ...env, ...credentialVariables(env, helper, 'dev') },
      timeout: 60_000,
    })
    expect(stdout).toMatch(/^[0-9a-f]{40}\tHEAD\n$/)
    expect(logins(secure)).toEqual([undefined, 'x-access-token:secure-token'])
  } finally {
    await secure.stop()
  }
})
