import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KugetsuEnvironment } from '../../src/plugin/plugin.ts'

let home: string
let before: NodeJS.ProcessEnv

beforeEach(() => {
  before = { ...process.env }
  home = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'plugin-')))
  for (const name of ['env', 'sessions', 'worktrees/one/src', 'worktrees/two', 'base', 'elsewhere/old']) {
    fs.mkdirSync(path.join(home, name), { recursive: true })
  }
  write('env/default.env', 'export TOKEN="everybody"\nexport OPENCODE_SERVER_PASSWORD="from-file"\n')
  write('env/dev.env', 'export TOKEN="dev"\n')
  write('env/pm-agent.env', 'export TOKEN="pm"\n')
  session('one', { issue_ref: 'forge.test/a/b#1', opencode_session_id: 'ses_one', worktree_path: at('worktrees/one') })
  session('two', { issue_ref: 'forge.test/a/b#2', opencode_session_id: 'ses_two', worktree_path: at('worktrees/two') })
  session('old', { issue_ref: 'forge.test/a/b#3', opencode_session_id: 'ses_old', worktree_path: at('elsewhere/old') })
  session('pm-agent', { type: 'pm_agent', opencode_session_id: 'ses_pm' })
  session('base', { type: 'base', opencode_session_id: 'ses_base' })
  Object.assign(process.env, { KUGETSU_DIR: home, KUGETSU_TEMP_DIR: '/scratch', KUGETSU_BIN_DIR: '/kugetsu/bin' })
})

afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  Object.assign(process.env, before)
  fs.rmSync(home, { recursive: true, force: true })
})

const at = (name: string) => path.join(home, name)
const write = (name: string, text: string) => fs.writeFileSync(at(name), text)
const session = (name: string, fields: object) =>
  write(`sessions/${name}.json`, JSON.stringify({ type: 'forked', ...fields }))

async function environment(cwd: string, sessionID?: string): Promise<Record<string, string>> {
  const output = { env: {} as Record<string, string> }
  const plugin = await KugetsuEnvironment()
  await plugin['shell.env'](sessionID === undefined ? { cwd } : { cwd, sessionID }, output)
  return output.env
}

describe('a dev agent', () => {
  test('gets its variables and is told who it is', async () => {
    expect(await environment(at('worktrees/one'), 'ses_one')).toMatchObject({
      TOKEN: 'dev',
      KUGETSU_AGENT: 'dev',
      KUGETSU_DIR: home,
      KUGETSU_ISSUE_REF: 'forge.test/a/b#1',
      KUGETSU_WORKTREE: at('worktrees/one'),
      KUGETSU_TEMP_DIR: '/scratch',
    })
  })

  test("has git ask kugetsu for tokens, after what the user's own configuration says", async () => {
    Object.assign(process.env, { KUGETSU_CREDENTIAL_HELPER: '!kugetsu credential' })
    Object.assign(process.env, { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'a.b', GIT_CONFIG_VALUE_0: 'c' })
    expect(await environment(at('worktrees/one'), 'ses_one')).toMatchObject({
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_1: 'credential.helper',
      GIT_CONFIG_VALUE_1: '!kugetsu credential dev',
    })
    expect((await environment(at('base'), 'ses_pm'))['GIT_CONFIG_VALUE_1']).toBe('!kugetsu credential pm-agent')
    expect(await environment('/', 'ses_stranger')).not.toHaveProperty('GIT_CONFIG_COUNT')
  })

  test('keeps its own identity in the directory of another agent', async () => {
    const own = { TOKEN: 'dev', KUGETSU_AGENT: 'dev', KUGETSU_ISSUE_REF: 'forge.test/a/b#1' }
    expect(await environment(at('worktrees/two'), 'ses_one')).toMatchObject(own)
    expect(await environment(at('base'), 'ses_one')).toMatchObject(own)
    expect(await environment('/', 'ses_one')).toMatchObject(own)
  })

  test.each([undefined, 'ses_child'])('is known by its worktree when the session is %s', async (sessionID) => {
    const env = await environment(at('worktrees/one/src'), sessionID)
    expect(env).toMatchObject({
      TOKEN: 'dev',
      KUGETSU_ISSUE_REF: 'forge.test/a/b#1',
      KUGETSU_WORKTREE: at('worktrees/one'),
    })
  })

  test('of an old home is known in its worktree elsewhere', async () => {
    for (const sessionID of ['ses_old', 'ses_child']) {
      const env = await environment(at('elsewhere/old'), sessionID)
      expect(env).toMatchObject({ TOKEN: 'dev', KUGETSU_ISSUE_REF: 'forge.test/a/b#3' })
    }
  })

  test('has its variables in a worktree whose session file is gone', async () => {
    fs.rmSync(at('sessions/one.json'))
    const env = await environment(at('worktrees/one'), 'ses_one')
    expect(env).toMatchObject({ TOKEN: 'dev', KUGETSU_AGENT: 'dev' })
    expect(env).not.toHaveProperty('KUGETSU_ISSUE_REF')
  })

  test('sees a changed env file at its next command', async () => {
    write('env/dev.env', 'export TOKEN="new"\n')
    expect((await environment(at('worktrees/one'), 'ses_one'))['TOKEN']).toBe('new')
  })
})

describe('the PM agent', () => {
  test.each(['base', 'worktrees/one'])('gets its own variables in %s', async (directory) => {
    const env = await environment(at(directory), 'ses_pm')
    expect(env).toMatchObject({ TOKEN: 'pm', KUGETSU_AGENT: 'pm-agent' })
    expect(env).not.toHaveProperty('KUGETSU_ISSUE_REF')
  })

  test('is known by its directory', async () => {
    expect(await environment(at('base'))).toMatchObject({ TOKEN: 'pm', KUGETSU_AGENT: 'pm-agent' })
  })
})

test('a stranger gets no variables', async () => {
  const env = await environment('/', 'ses_stranger')
  expect(env).not.toHaveProperty('TOKEN')
  expect(env).not.toHaveProperty('KUGETSU_AGENT')
  expect(env['GIT_TERMINAL_PROMPT']).toBe('0')
})

describe('for everybody', () => {
  test('editors and prompts are off unless an env file says otherwise', async () => {
    expect(await environment(at('worktrees/one'), 'ses_one')).toMatchObject({
      EDITOR: 'true',
      VISUAL: 'true',
      GIT_EDITOR: 'true',
      GIT_SEQUENCE_EDITOR: 'true',
      GIT_TERMINAL_PROMPT: '0',
      GIT_PAGER: 'cat',
      PAGER: 'cat',
      GH_PROMPT_DISABLED: '1',
    })
    write('env/dev.env', 'export EDITOR="ed"\n')
    expect((await environment(at('worktrees/one'), 'ses_one'))['EDITOR']).toBe('ed')
  })

  test("kugetsu's own directory leads the search path", async () => {
    expect((await environment(at('worktrees/one'), 'ses_one'))['PATH']).toBe(`/kugetsu/bin:${before['PATH']}`)
    write('env/dev.env', 'export PATH="/mine"\n')
    expect((await environment(at('worktrees/one'), 'ses_one'))['PATH']).toBe('/kugetsu/bin:/mine')
  })

  test('an env file cannot change who an agent is, nor the mark by which its commands are found', async () => {
    write('env/dev.env', 'export KUGETSU_DIR=/x KUGETSU_AGENT=pm-agent KUGETSU_ISSUE_REF=y KUGETSU_SERVER=z\n')
    const env = await environment(at('worktrees/one'), 'ses_one')
    expect(env).toMatchObject({ KUGETSU_DIR: home, KUGETSU_AGENT: 'dev', KUGETSU_ISSUE_REF: 'forge.test/a/b#1' })
    expect(env).not.toHaveProperty('KUGETSU_SERVER')
  })

  const hidden = { OPENCODE_SERVER_PASSWORD: '', OPENCODE_SERVER_USERNAME: '', OPENCODE_CONFIG_CONTENT: '' }

  test('what opens the server is hidden, whatever an env file says', async () => {
    expect(await environment(at('worktrees/one'), 'ses_one')).toMatchObject(hidden)
    expect(await environment('/', 'ses_stranger')).toMatchObject(hidden)
  })

  test('a broken session file does not matter to the others', async () => {
    write('sessions/aaa.json', '{"opencode_session_id": "ses_')
    write('sessions/bbb.json', 'null')
    write('sessions/ccc.json', '{"opencode_session_id": 5, "worktree_path": {}}')
    fs.mkdirSync(at('sessions/ddd.json'))
    expect(await environment('/', 'ses_two')).toMatchObject({ KUGETSU_ISSUE_REF: 'forge.test/a/b#2', ...hidden })
  })

  test('an env file that cannot be read costs only the variables', async () => {
    fs.rmSync(at('env/dev.env'))
    fs.mkdirSync(at('env/dev.env'))
    const env = await environment(at('worktrees/one'), 'ses_one')
    expect(env).toMatchObject({ KUGETSU_AGENT: 'dev', ...hidden })
    expect(env).not.toHaveProperty('TOKEN')
  })

  test.each([undefined, '', '/no/such/home'])('home %j: no failure, and the password hidden', async (directory) => {
    if (directory === undefined) delete process.env['KUGETSU_DIR']
    else process.env['KUGETSU_DIR'] = directory
    expect(await environment('/', 'ses_one')).toMatchObject(hidden)
  })

  test('an input of another shape does not throw', async () => {
    const plugin = await KugetsuEnvironment()
    const output = { env: {} }
    await plugin['shell.env'](undefined as never, output)
    expect(output.env).toMatchObject(hidden)
  })
})

describe('what the PM agent calls', () => {
  const run = async (args: object, sessionID: string, tool: string) =>
    (await KugetsuEnvironment())['tool.execute.before']({ tool, sessionID }, { args })
  const bash = async (command: unknown, sessionID = 'ses_pm') => {
    const args = { command }
    await run(args, sessionID, 'bash')
    return args.command
  }

  test('is a plain command, which is run by kugetsu', async () => {
    expect(await bash('kugetsu list')).toBe("kugetsu pm-shell 'kugetsu list'")
    expect(await bash("git log --format='%s' | head -3")).toBe(
      "kugetsu pm-shell 'git log --format='\\''%s'\\'' | head -3'",
    )
    for (const command of ['kugetsu list > file', 'export A=b', "kugetsu pm-shell 'x'", undefined]) {
      await expect(bash(command)).rejects.toThrow('kugetsu refused this command')
    }
  })

  test('reads in worktrees and in its own directory, wherever links lead', async () => {
    write('worktrees/one/README.md', 'x')
    write('worktrees/one/.env', 'x')
    fs.symlinkSync(at('env'), at('worktrees/one/link'))
    fs.symlinkSync(at('worktrees/one/loop'), at('worktrees/one/loop'))
    fs.symlinkSync(at('env/not-yet'), at('worktrees/one/dangling'))
    for (const file of [
      'worktrees/one/README.md',
      'worktrees/one/none',
      'worktrees',
      'base/notes',
      'worktrees/one/env.ts',
    ]) {
      await run({ filePath: at(file) }, 'ses_pm', 'read')
    }
    await run({}, 'ses_pm', 'list')
    await run({ pattern: '**/*.{ts,md}', path: at('worktrees/one') }, 'ses_pm', 'glob')
    const outside = ['env/default.env', 'opencode/server.json', 'worktrees/one/.env', 'worktrees/one/link/default.env']
    const links = ['worktrees/one/loop', 'worktrees/one/dangling', 'worktrees/one/link', 'worktrees/../env', '', '..']
    for (const file of [...outside, ...links]) {
      for (const [tool, name] of [
        ['read', 'filePath'],
        ['glob', 'path'],
        ['list', 'path'],
      ] as const) {
        await expect(run({ pattern: 'x', [name]: at(file) }, 'ses_pm', tool)).rejects.toThrow('refused this call')
      }
    }
    for (const pattern of ['/etc/*', '../*', 'a/../../*', '~/*', '{../*,x}']) {
      await expect(run({ pattern }, 'ses_pm', 'glob')).rejects.toThrow('lead out')
    }
  })

  test("searches in its shell alone, whose grep leaves files of secrets out; opencode's own cannot be held to that", async () => {
    for (const args of [{}, { include: '*.ts' }, { include: '.env' }, { include: '*' }]) {
      await expect(run({ pattern: 'SECRET', path: at('worktrees'), ...args }, 'ses_pm', 'grep')).rejects.toThrow(
        'grep -r',
      )
      await run({ pattern: 'SECRET', path: at('worktrees'), ...args }, 'ses_one', 'grep')
    }
    expect(await bash('cd /w && grep -rn SECRET .')).toContain('grep -rn SECRET .')
  })

  test('is one of the tools that it is known to have', async () => {
    await run({ url: 'https://forge.test' }, 'ses_pm', 'webfetch')
    for (const tool of ['write', 'edit', 'task', 'batch', 'some_mcp_tool', 'constructor']) {
      await expect(run({}, 'ses_pm', tool)).rejects.toThrow('you may not use the tool')
    }
  })

  test('is held so in its session alone', async () => {
    for (const session of ['ses_one', 'ses_child', 'ses_base', '']) {
      expect(await bash('echo > file', session)).toBe('echo > file')
      await run({ filePath: '/etc/passwd' }, session, 'read')
    }
  })

  test('is not run unjudged where its session cannot be told', async () => {
    write('sessions/pm-agent.json', 'torn')
    await expect(bash("kugetsu pm-shell 'kugetsu list' > file")).rejects.toThrow('for direct use')
    expect(await bash('grep "kugetsu pm-shell" src', 'ses_one')).toBe('grep "kugetsu pm-shell" src')
  })

  test('starts with no program that an env file names', async () => {
    write('env/default.env', 'BASH_ENV=x\nGIT_EXTERNAL_DIFF=x\nGH_PAGER=x\nNODE_OPTIONS=x\nLD_PRELOAD=x\nKEPT=x\n')
    const env = await environment(at('base'), 'ses_pm')
    expect(env).toMatchObject({ BASH_ENV: '', ENV: '', KEPT: 'x' })
    for (const name of ['GIT_EXTERNAL_DIFF', 'GH_PAGER', 'NODE_OPTIONS', 'LD_PRELOAD'])
      expect(env).not.toHaveProperty(name)
    expect(await environment(at('worktrees/one'), 'ses_one')).toMatchObject({ BASH_ENV: 'x', GH_PAGER: 'x' })
  })
})

describe('a tool that is to open a pipe', () => {
  const refusal = async (args: object, directory = at('worktrees/one')) => {
    const plugin = await KugetsuEnvironment({ directory })
    const call = { tool: 'any', sessionID: 'ses_one' }
    return plugin['tool.execute.before'](call, { args }).then(
      () => '',
      (error: Error) => error.message,
    )
  }
  beforeEach(() => void execFileSync('mkfifo', [at('worktrees/one/pipe')]))

  test.each([
    { filePath: 'pipe' },
    { path: 'pipe' },
    { patchText: '*** Begin Patch\n*** Update File: pipe\n@@\n-a\n+b\n*** End Patch' },
    { patchText: '*** Begin Patch\n*** Update File: other\n*** Move to: pipe\n*** End Patch' },
  ])('is refused: %j', async (args) => {
    expect(await refusal(args)).toMatch(/pipe is a pipe or a device, and opening it could wait for ever/)
  })

  test.each([{ filePath: 'src' }, { filePath: 'missing' }, { filePath: '/dev/null' }, { pattern: 'pipe' }, {}])(
    'others are not: %j',
    async (args) => {
      expect(await refusal(args)).toBe('')
    },
  )
})
