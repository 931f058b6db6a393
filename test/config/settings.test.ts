import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KugetsuError } from '../../src/core/errors.ts'
import { defaultConfigText, loadSettings } from '../../src/config/settings.ts'

let directory: string
let configFile: string
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kugetsu-settings-'))
  configFile = path.join(directory, 'config')
})
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

function load(text: string | undefined, env: NodeJS.ProcessEnv = {}) {
  if (text !== undefined) fs.writeFileSync(configFile, text)
  return loadSettings({ configFile, env, userHome: '/users/mika' })
}

function errorOf(text: string | undefined, env: NodeJS.ProcessEnv = {}): KugetsuError {
  try {
    load(text, env)
  } catch (error) {
    if (error instanceof KugetsuError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const defaults = {
  maxConcurrentAgents: 3,
  minFreeMemoryMb: 256,
  taskTimeoutHours: 1,
  queueIntervalMinutes: 5,
  queueCleanupAgeDays: 7,
  queueKeepFinished: 2000,
  verbosity: 'default',
  tempDir: '/users/mika/.local/share/opencode/tool-output',
  baseBranch: undefined,
  checkPrStatus: true,
  contextDump: true,
  defaultGitServer: 'github.com',
  permissionPolicy: 'reject',
  modelProviders: 'connected',
  serverIdleMinutes: 10,
  warnings: [],
  gone: new Map(),
  mistyped: new Map(),
}

describe('loadSettings', () => {
  it('has a default for everything', () => {
    expect(load(undefined)).toEqual(defaults)
  })

  it('reads every option from the file', () => {
    const text = [
      'MAX_CONCURRENT_AGENTS=5',
      'MIN_FREE_MEMORY_MB=0',
      'TASK_TIMEOUT_HOURS=0.5',
      'QUEUE_DAEMON_INTERVAL_MINUTES=2',
      'QUEUE_CLEANUP_AGE_DAYS=0',
      'QUEUE_KEEP_FINISHED=50',
      'KUGETSU_VERBOSITY=quiet',
      'KUGETSU_TEMP_DIR="~/scratch"',
      'KUGETSU_BASE_BRANCH=release/2.x',
      'WORKTREE_CHECK_PR_STATUS=false',
      'ENABLE_CONTEXT_DUMP=no',
      'DEFAULT_GIT_SERVER=forge.test:3000',
      'PERMISSION_POLICY=allow',
      'KUGETSU_MODEL_PROVIDERS="anthropic, my.own_1 anthropic"',
      'KUGETSU_SERVER_IDLE_MINUTES=0',
    ].join('\n')
    expect(load(text)).toEqual({
      maxConcurrentAgents: 5,
      minFreeMemoryMb: 0,
      taskTimeoutHours: 0.5,
      queueIntervalMinutes: 2,
      queueCleanupAgeDays: 0,
      queueKeepFinished: 50,
      verbosity: 'quiet',
      tempDir: '/users/mika/scratch',
      baseBranch: 'release/2.x',
      checkPrStatus: false,
      contextDump: false,
      defaultGitServer: 'forge.test:3000',
      permissionPolicy: 'allow',
      modelProviders: ['anthropic', 'my.own_1'],
      serverIdleMinutes: 0,
      warnings: [],
      gone: new Map(),
      mistyped: new Map(),
    })
  })

  it.each(['connected', 'all'])('knows %s model providers', (word) => {
    expect(load(`KUGETSU_MODEL_PROVIDERS=${word}`).modelProviders).toBe(word)
  })

  it('lets the environment win over the file, unless it is empty', () => {
    expect(load('MAX_CONCURRENT_AGENTS=5', { MAX_CONCURRENT_AGENTS: '7' }).maxConcurrentAgents).toBe(7)
    expect(load('MAX_CONCURRENT_AGENTS=5', { MAX_CONCURRENT_AGENTS: '' }).maxConcurrentAgents).toBe(5)
    expect(load('MAX_CONCURRENT_AGENTS=').maxConcurrentAgents).toBe(3)
  })

  it('does not look at a wrong value that the environment replaces', () => {
    expect(load('MAX_CONCURRENT_AGENTS=lots', { MAX_CONCURRENT_AGENTS: '7' }).maxConcurrentAgents).toBe(7)
  })

  it('knows the home where the file says ~', () => {
    expect(load('KUGETSU_TEMP_DIR=~/t', { HOME: '/elsewhere' }).tempDir).toBe('/users/mika/t')
  })

  it.each([
    ['MAX_CONCURRENT_AGENTS', ['0', '-1', '1.5', 'lots', '1e3', '0x10', '1001', '99999999999999999999'], '1 to 1000'],
    ['TASK_TIMEOUT_HOURS', ['0', '-1', 'x', 'NaN', 'Infinity', '1h', '501'], 'above 0'],
    ['QUEUE_DAEMON_INTERVAL_MINUTES', ['0', 'five', '99999'], 'above 0'],
    ['QUEUE_CLEANUP_AGE_DAYS', ['-1', 'x'], 'from 0'],
    ['KUGETSU_SERVER_IDLE_MINUTES', ['-0.1', 'never'], 'from 0'],
    ['KUGETSU_VERBOSITY', ['loud'], 'verbose, default or quiet'],
    ['PERMISSION_POLICY', ['ask', 'always'], 'reject or allow'],
    ['WORKTREE_CHECK_PR_STATUS', ['maybe', '2'], 'true or false'],
    ['ENABLE_CONTEXT_DUMP', ['x'], 'true or false'],
    ['KUGETSU_MODEL_PROVIDERS', ['anthropic/claude', '-x', '__proto__', 'a;b', 'all,b', ','], 'ids of model providers'],
    ['DEFAULT_GIT_SERVER', ['https://github.com', '-x', 'a/b', '..'], 'git server'],
    ['KUGETSU_TEMP_DIR', ['relative/path', '~other/x', '/a\u0007b'], 'absolute path'],
    [
      'KUGETSU_BASE_BRANCH',
      ['-f', '--exec=x', 'a..b', 'a b', 'a~1', 'HEAD^', 'a:b', '@{u}', 'x.lock', '/x', 'x/'],
      'branch',
    ],
  ])('refuses nonsense in %s', (name, values, allowed) => {
    for (const value of values) {
      const fromFile = errorOf(`# a comment\n${name}='${value}'`)
      expect(fromFile.code).toBe('bad_setting')
      expect(fromFile.message).toContain(name)
      expect(fromFile.message).toContain(JSON.stringify(value))
      expect(fromFile.message).toContain(allowed)
      expect(fromFile.message).toContain(`${configFile}, line 2`)
      expect(errorOf('', { [name]: value }).message).toContain('the environment')
    }
  })

  it('says that the batch size is gone', () => {
    const inFile = load('A=1\nQUEUE_DAEMON_BATCH_SIZE=3')
    expect(inFile.warnings).toEqual([])
    expect([...inFile.gone.values()]).toEqual([expect.stringMatching(/line 2: QUEUE_DAEMON_BATCH_SIZE is gone/)])
    expect([...load('', { QUEUE_DAEMON_BATCH_SIZE: '3' }).gone.keys()]).toEqual(['QUEUE_DAEMON_BATCH_SIZE'])
    expect(load('').gone.size).toBe(0)
  })

  it('asks whether a setting was meant that is written almost like one, and leaves other variables alone', () => {
    const { mistyped } = load('MAX_CONCURENT_AGENTS=4\nQUEUE_DAEMON_BATCH_SIZE=3\nA=1\nMY_TEMP_DIR=/x\nTIMEOUT_HOURS=2')
    expect([...mistyped]).toEqual([
      [
        'MAX_CONCURENT_AGENTS',
        `${configFile}, line 1: there is no setting MAX_CONCURENT_AGENTS. Did you mean MAX_CONCURRENT_AGENTS?`,
      ],
    ])
  })

  it('passes on what in the file was not understood', () => {
    expect(load('A=1\necho hello').warnings).toEqual([expect.stringContaining(`${configFile}, line 2: "echo"`)])
  })

  it('never runs what is in the file', () => {
    const trap = path.join(directory, 'trap')
    load(`A=$(touch ${trap})\ntouch ${trap}\nB=\`touch ${trap}\`\n`)
    expect(fs.existsSync(trap)).toBe(false)
  })

  it('names a file that cannot be read', () => {
    fs.mkdirSync(configFile)
    expect(errorOf(undefined).message).toContain(configFile)
  })
})

describe('the default config file', () => {
  it('changes nothing as it is, nor with every option in it turned on', () => {
    expect(load(defaultConfigText)).toEqual(defaults)
    const turnedOn = defaultConfigText.replace(/^# (?=[A-Z_]+=)/gm, '')
    expect(turnedOn.match(/^[A-Z_]+=/gm)).toHaveLength(15)
    expect(load(turnedOn)).toEqual(defaults)
  })

  it('is a file that bash can read too', () => {
    fs.writeFileSync(configFile, defaultConfigText)
    expect(execFileSync('bash', ['-n', configFile], { encoding: 'utf8' })).toBe('')
  })
})
