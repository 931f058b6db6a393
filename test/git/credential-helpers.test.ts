import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hasCredentialHelper } from '../../src/git/credential-helpers.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'

let ground: Ground
beforeEach(() => {
  ground = createGround()
})
afterEach(() => ground.cleanup())

const url = 'https://git.example.com'

/** Whether there is one, with that configuration of the user's. */
async function has(
  config: string,
  more: { url?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<boolean> {
  fs.writeFileSync(path.join(ground.root, 'gitconfig'), config)
  const call = { cwd: more.cwd ?? ground.root, env: { ...ground.env, ...more.env }, timeoutMs: 60_000 }
  return hasCredentialHelper(more.url ?? url, call)
}

/** Whether git itself asks any helper: each of the configuration must be `asked`, a program that leaves a mark. */
function gitAsks(config: string): boolean {
  const mark = path.join(ground.root, 'asked')
  const file = path.join(ground.root, 'gitconfig')
  fs.rmSync(mark, { force: true })
  fs.writeFileSync(file, config.replaceAll('= asked', `= "!touch '${mark}'; :"`))
  try {
    execFileSync('git', ['credential', 'fill'], {
      input: `url=${url}\n\n`,
      env: { ...ground.env, GIT_TERMINAL_PROMPT: '0', GIT_ASKPASS: 'true' },
      stdio: ['pipe', 'ignore', 'ignore'],
      timeout: 60_000,
    })
  } catch {
    // nobody had a login
  }
  return fs.existsSync(mark)
}

const all = '[credential]\n\thelper = asked\n'
const noneForAll = '[credential]\n\thelper =\n'
const one = (pattern: string, value = 'asked') => `[credential "${pattern}"]\n\thelper = ${value}\n`

describe("a credential helper of the user's", () => {
  it.each([
    ['', false],
    [all, true],
    [noneForAll, false],
    [all + noneForAll, false],
    [noneForAll + all, true],
    [one('https://git.example.com'), true],
    [one('https://git.example.com/'), true],
    [one('https://git.example.com:443'), true],
    [one('https://*.example.com'), true],
    [one('git.example.com'), true],
    [one('https://other.example.com'), false],
    [one('http://git.example.com'), false],
    [one('https://git.example.com:8443'), false],
    [one('https://example.com'), false],
    // How one says that the usual helper is not for this host; and the other way round, where it comes too early.
    [all + one('https://git.example.com', ''), false],
    [one('https://git.example.com', '') + all, true],
    [all + one('https://other.example.com', ''), true],
    [one('https://git.example.com', '') + one('https://git.example.com'), true],
  ])('with %j is seen as git sees it', async (config, expected) => {
    expect({ git: gitAsks(config), kugetsu: await has(config) }).toEqual({ git: expected, kugetsu: expected })
  })

  it('for a part of the host alone counts, and one taken back for a part is still there', async () => {
    expect(await has(one('https://git.example.com/me'))).toBe(true)
    expect(await has(one('https://mika@git.example.com'))).toBe(true)
    expect(await has(all + one('https://git.example.com/me', ''))).toBe(true)
  })

  it('counts wherever git finds it: in the repository, on the command line, in the environment', async () => {
    const cwd = path.join(ground.root, 'author')
    ground.git(cwd, 'config', 'credential.helper', 'asked')
    expect(await has('', { cwd })).toBe(true)
    expect(await has('', { env: { GIT_DIR: path.join(cwd, '.git') } })).toBe(true)
    expect(await has('', { env: { GIT_CONFIG_PARAMETERS: "'credential.helper=asked'" } })).toBe(true)
    const env = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'credential.helper', GIT_CONFIG_VALUE_0: 'asked' }
    expect(await has('', { env })).toBe(true)
    expect(await has('')).toBe(false)
  })

  it('goes by the port of a server that has one', async () => {
    const local = { url: 'http://127.0.0.1:3000' }
    expect(await has(one('http://127.0.0.1:3000'), local)).toBe(true)
    expect(await has(one('http://127.0.0.1:3001'), local)).toBe(false)
    expect(await has(one('http://127.0.0.1'), local)).toBe(false)
  })
})
