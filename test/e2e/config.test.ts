/** `kugetsu config` on real files. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SettingView } from '../../src/config/settings.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { run, runJson, runOk } from '../helpers/kugetsu.ts'
import { hasTerminals, inTerminal } from '../helpers/terminal.ts'

const bash = fs.readFileSync(new URL('../fixtures/bash-home/config', import.meta.url), 'utf8')

let home: Home
let file: string
beforeAll(() => {
  home = createHome({ findsProviders: true })
  file = path.join(home.kugetsuDir, 'config')
})
beforeEach(() => fs.rmSync(home.kugetsuDir, { recursive: true, force: true }))
afterAll(() => home.cleanup())

const write = (text: string | Buffer, mode = 0o600) => {
  fs.mkdirSync(home.kugetsuDir, { recursive: true, mode: 0o700 })
  fs.writeFileSync(file, text, { mode })
}
const text = () => fs.readFileSync(file, 'utf8')
const config = (...args: string[]) => run(home, ['config', ...args])
const ok = async (...args: string[]) => (await runOk(home, ['config', ...args])).stdout

describe('config list', () => {
  it('says of each setting what it is, its default, where it comes from and what it is for', async () => {
    write('# mine\nMAX_CONCURRENT_AGENTS=5\nWORKTREE_CHECK_PR_STATUS=no\n')
    const env = { TASK_TIMEOUT_HOURS: '2.5' }
    const { json } = await runJson<SettingView[]>(home, ['config', '--json'], { env })
    const of = (name: string) => json.find((each) => each.name === name)
    expect(of('MAX_CONCURRENT_AGENTS')).toEqual({
      name: 'MAX_CONCURRENT_AGENTS',
      value: '5',
      default: '3',
      source: 'config',
      line: 2,
      meaning: 'How many agents may run at once.',
      problem: null,
    })
    expect(of('WORKTREE_CHECK_PR_STATUS')).toMatchObject({ value: 'false', line: 3 })
    expect(of('TASK_TIMEOUT_HOURS')).toMatchObject({ value: '2.5', source: 'environment', line: null })
    expect(of('QUEUE_KEEP_FINISHED')).toMatchObject({ value: '2000', source: 'default' })
    const shown = (await runOk(home, ['config', 'list'], { env })).stdout.split('\n')
    expect(shown[0]).toMatch(/^NAME +VALUE +DEFAULT +FROM +MEANING$/)
    expect(shown[1]).toMatch(/^MAX_CONCURRENT_AGENTS +5 +3 +config, line 2 +How many agents/)
  })

  it('shows a value that cannot be used, and what is not understood, and fails', async () => {
    write('MAX_CONCURRENT_AGENTS=many\nrm -rf /\n')
    const { code, stdout, stderr } = await config()
    expect(code).toBe(1)
    expect(stdout).toMatch(/^MAX_CONCURRENT_AGENTS +\(invalid\) .*must be a whole number from 1 to 1000$/m)
    expect(stderr).toMatch(/config, line 2: "rm" is not an assignment/)
  })

  it('names an ignored line also where one setting is asked for, which it may have been meant to set', async () => {
    write('MAX_CONCURRENT_AGENTS=(4 5)\n')
    const { code, stdout, stderr } = await config('get', 'MAX_CONCURRENT_AGENTS')
    expect({ code, stdout }).toEqual({ code: 0, stdout: '3\n' })
    expect(stderr).toMatch(/^Warning: .*config, line 1: MAX_CONCURRENT_AGENTS is a list, .*; ignored\n$/)
  })

  it.skipIf(!hasTerminals)('fits a terminal of 60 columns, with the meaning below', async () => {
    const { code, shown } = await inTerminal(home, ['config'], [], 60)
    expect(code).toBe(0)
    const lines = shown.split(/\r?\n/)
    expect(lines.find((line) => line.startsWith('MAX_CONCURRENT_AGENTS'))).toMatch(/ 3 +3 +default$/)
    expect(lines).toContain('  How many agents may run at once.')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60)
  })

  it.skipIf(!hasTerminals)('has each name whole on a terminal of 40 columns', async () => {
    const lines = (await inTerminal(home, ['config'], [], 40)).shown.split(/\r?\n/)
    expect(lines.find((line) => line.startsWith('QUEUE_DAEMON_INTERVAL_MINUTES'))).toMatch(/ 5$/)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40)
  })
})

describe('config set', () => {
  it('changes its line in a file of the bash tool, and nothing else, 0600', async () => {
    write(bash, 0o644)
    expect(await ok('set', 'MAX_CONCURRENT_AGENTS', '6')).toMatch(/^Set MAX_CONCURRENT_AGENTS to 6 in ~\/\S+config\n$/)
    expect(text()).toBe(bash.replace('"${MAX_CONCURRENT_AGENTS:-4}"', '6'))
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    expect(await ok('get', 'max_concurrent_agents')).toBe('6\n')
    expect((await runOk(home, ['server', 'list'])).stdout).toContain('git.example.com')
  })

  it('makes a file with all comments where there is none, each setting at its own', async () => {
    await ok('set', 'PERMISSION_POLICY', 'allow')
    await ok('set', 'KUGETSU_MODEL_PROVIDERS', 'anthropic, openai')
    const lines = text().split('\n')
    expect(lines[lines.indexOf('PERMISSION_POLICY=allow') - 1]).toBe('# PERMISSION_POLICY=reject')
    expect(lines).toContain('KUGETSU_MODEL_PROVIDERS="anthropic, openai"')
    expect(await ok('get', 'KUGETSU_MODEL_PROVIDERS')).toBe('anthropic,openai\n')
  })

  it('keeps a link to the file', async () => {
    const real = path.join(home.root, 'dotfiles-config')
    fs.writeFileSync(real, '# mine\n')
    fs.mkdirSync(home.kugetsuDir)
    fs.symlinkSync(real, file)
    await ok('set', 'TASK_TIMEOUT_HOURS', '2')
    expect(fs.readFileSync(real, 'utf8')).toBe('# mine\nTASK_TIMEOUT_HOURS=2\n')
    expect(fs.lstatSync(file).isSymbolicLink()).toBe(true)
  })

  it('says when the environment wins', async () => {
    const env = { MAX_CONCURRENT_AGENTS: '9' }
    const { stderr } = await run(home, ['config', 'set', 'MAX_CONCURRENT_AGENTS', '6'], { env })
    expect(stderr).toMatch(/MAX_CONCURRENT_AGENTS=9 in the environment wins over the file/)
  })

  it.each([
    [['MAX_CONCURENT_AGENTS', '5'], 'unknown_setting', /Did you mean MAX_CONCURRENT_AGENTS\?/],
    [['GIT_SERVERS', 'x'], 'unknown_setting', /kugetsu server/],
    [['FROB', 'x'], 'unknown_setting', /config list/],
    [['MAX_CONCURRENT_AGENTS', '0'], 'bad_setting', /Nothing was changed/],
    [['MAX_CONCURRENT_AGENTS', '-1'], 'bad_setting', /Nothing was changed/],
    [['MAX_CONCURRENT_AGENTS', ''], 'bad_setting', /config unset/],
    [['KUGETSU_BASE_BRANCH', 'a\nMAX_CONCURRENT_AGENTS=9'], 'bad_setting', /^$/],
    [['PERMISSION_POLICY', 'alow'], 'bad_setting', /Nothing was changed/],
  ])('refuses %j and changes nothing', async (args, code, hint) => {
    write('A=1\n')
    const { json } = await runJson<{ error: { code: string; hint: string | null } }>(home, [
      'config',
      'set',
      ...args,
      '--json',
    ])
    expect(json.error.code).toBe(code)
    expect(json.error.hint ?? '').toMatch(hint)
    expect(text()).toBe('A=1\n')
  })

  it.each([
    ['A=1\nif true; then MAX_CONCURRENT_AGENTS=4; fi\n', /config, line 2: /],
    ['A="1\nMAX_CONCURRENT_AGENTS=4\n', /config, line 1: /],
    ['TASK_TIMEOUT_HOURS=$MAX_CONCURRENT_AGENTS\n', /config, line 1: /],
    ['MAX_CONCURRENT_AGENTS=4\nTASK_TIMEOUT_HOURS=$MAX_CONCURRENT_AGENTS\n', /TASK_TIMEOUT_HOURS depends on/],
    [Buffer.from([0x41, 0x3d, 0xff, 0x0a]), /config: it is not UTF-8/],
  ])('names the line of a file that it does not understand, and leaves it: %j', async (before, message) => {
    write(before)
    const { code, stderr } = await config('set', 'MAX_CONCURRENT_AGENTS', '6')
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)])
    expect(fs.readFileSync(file)).toEqual(Buffer.from(before))
  })

  it('of many at once are all kept', async () => {
    const values = {
      MAX_CONCURRENT_AGENTS: '4',
      TASK_TIMEOUT_HOURS: '3',
      QUEUE_KEEP_FINISHED: '50',
      MIN_FREE_MEMORY_MB: '0',
    }
    await Promise.all(Object.entries(values).map(([name, value]) => ok('set', name, value)))
    for (const [name, value] of Object.entries(values)) expect(text().split('\n')).toContain(`${name}=${value}`)
    expect(fs.readdirSync(home.kugetsuDir).toSorted()).toEqual(['config', 'locks'])
  })
})

describe('config unset', () => {
  it('removes every assignment, says what holds then, and does nothing a second time', async () => {
    write('# a\nMAX_CONCURRENT_AGENTS=4\nA=1\nMAX_CONCURRENT_AGENTS=5 # why\n')
    expect(await ok('unset', 'MAX_CONCURRENT_AGENTS')).toMatch(/^Removed .*\nIt is 3 now, the default\n$/)
    expect(text()).toBe('# a\nA=1\n# why\n')
    expect(await ok('unset', 'MAX_CONCURRENT_AGENTS')).toMatch(/is not set in/)
  })

  it('removes a misspelled name too', async () => {
    write('MAX_CONCURENT_AGENTS=4\n')
    await ok('unset', 'MAX_CONCURENT_AGENTS')
    expect(text()).toBe('')
    expect((await config('unset', 'MAX_CONCURENT_AGENTS')).code).toBe(1)
  })
})
