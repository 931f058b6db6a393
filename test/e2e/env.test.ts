import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHome, type Home } from '../helpers/home.ts'
import { run, runJson, runOk } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { commandLinesWith, filesWith } from '../helpers/traces.ts'
import { waitFor } from '../helpers/wait-for.ts'

describe('kugetsu env', () => {
  let home: Home
  beforeAll(() => {
    home = createHome()
  })
  afterAll(() => home.cleanup())

  const file = (name: string) => path.join(home.kugetsuDir, 'env', `${name}.env`)
  const text = (name: string) => fs.readFileSync(file(name), 'utf8')
  const ok = async (...args: string[]) => (await runOk(home, ['env', ...args])).stdout
  const modeOf = (name: string) => (fs.statSync(name).mode & 0o777).toString(8)
  const write = (name: string, content: string, mode = 0o600) => {
    fs.mkdirSync(path.dirname(file(name)), { recursive: true, mode: 0o700 })
    fs.writeFileSync(file(name), content)
    fs.chmodSync(file(name), mode)
  }

  it('lists and shows before there is anything, and makes nothing', async () => {
    expect(await ok('list')).toMatch(/^Environment files/)
    expect(await ok('show')).toBe('No variables for pm-agent\n')
    expect((await runJson(home, ['env', 'show', 'dev', '--json'])).json).toEqual([])
    expect(fs.existsSync(home.kugetsuDir)).toBe(false)
  })

  it('sets a variable of the PM agent where none is named, for its owner alone', async () => {
    expect(await ok('set', 'TEST_VAR', 'test_value')).toBe('Set TEST_VAR in ~/.kugetsu/env/pm-agent.env\n')
    expect(text('pm-agent')).toBe('export TEST_VAR="test_value"\n')
    expect([modeOf(file('pm-agent')), modeOf(path.dirname(file('x')))]).toEqual(['600', '700'])
    expect(await ok('get', 'TEST_VAR')).toBe('test_value\n')
  })

  it('reads a value from standard input, without its last line end, and writes it as a shell reads it', async () => {
    const value = '  two\n$HOME `id` "quoted" \'single\' back\\slash żółć 日本\n'
    const { stdout, stderr } = await runOk(home, ['env', 'set', 'API_TOKEN', '-', 'dev'], { input: `${value}\n` })
    expect(stdout + stderr).not.toContain('HOME')
    expect((await runOk(home, ['env', 'get', 'API_TOKEN', 'dev'])).stdout).toBe(`${value}\n`)
    const sourced = execFileSync('sh', ['-c', '. "$1"; printf "%s|" "$API_TOKEN"', 'sh', file('dev')], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(sourced).toBe(`${value}|`)
    await ok('rm', 'API_TOKEN', 'dev')
    expect(text('dev')).toBe('')
  })

  it('keeps comments, order and what it does not understand', async () => {
    write('dev', '# mine\nexport A="1"\n\nif odd; then\nexport B=2 # two\n')
    await ok('set', 'A', 'new', 'dev')
    await ok('set', 'C', '3', 'dev')
    await ok('rm', 'B', 'dev')
    expect(text('dev')).toBe('# mine\nexport A="new"\n\nif odd; then\nexport C="3"\n')
    expect((await runOk(home, ['env', 'list'])).stderr).toContain('dev.env, line 4: not an assignment')
  })

  it('shows what an agent gets, its own file over that of all, secrets masked', async () => {
    write('default', 'export LANGUAGE="en"\nexport GITEA_TOKEN="of-all-secret"\n')
    write('dev', 'export GITEA_TOKEN="of-dev-secret"\nexport URL="https://me:of-dev-secret@host/x"\n')
    const shown = await ok('show', 'dev')
    expect(shown).toMatch(/^GITEA_TOKEN +\*\*\*MASKED\*\*\* +dev\.env$/m)
    expect(shown).toMatch(/^LANGUAGE +en +default\.env$/m)
    expect(shown).not.toContain('secret')
    const { json } = await runJson<{ name: string }[]>(home, ['env', 'show', 'dev', '--json'])
    expect(json).toContainEqual({ name: 'GITEA_TOKEN', value: '***MASKED***', secret: true, file: 'dev.env' })
    expect(JSON.stringify(json)).not.toContain('secret@')
    expect(await ok('get', 'LANGUAGE', 'dev')).toBe('en\n')
    expect((await runJson(home, ['env', 'get', 'GITEA_TOKEN', 'dev', '--json'])).json).toEqual({
      name: 'GITEA_TOKEN',
      value: 'of-dev-secret',
      agent: 'dev',
      file: 'dev.env',
    })
    const list = await runJson(home, ['env', 'list', '--json'])
    expect(list.json).toContainEqual({
      agent: 'dev',
      file: file('dev'),
      exists: true,
      variables: ['GITEA_TOKEN', 'URL'],
    })
    expect((await ok('list')) + list.stdout).not.toContain('secret')
  })

  it('warns of a secret on the command line, and of that alone', async () => {
    const bare = await runOk(home, ['env', 'set', 'GITHUB_TOKEN', 'argued-secret', 'dev'])
    expect(bare.stderr).toMatch(/^Warning: [^\n]*kugetsu env set GITHUB_TOKEN - dev\n$/)
    expect(bare.stderr + bare.stdout).not.toContain('argued-secret')
    expect((await runOk(home, ['env', 'set', 'GITHUB_TOKEN', '-', 'dev'], { input: 'x' })).stderr).toBe('')
    expect((await runOk(home, ['env', 'set', 'COLOUR', '-red-', 'dev'])).stderr).toBe('')
    expect(await ok('get', 'COLOUR', 'dev')).toBe('-red-\n')
  })

  it('warns of a file that others can read, and closes it when it writes', async () => {
    write('dev', 'export A="1"\n', 0o644)
    expect((await runOk(home, ['env', 'show', 'dev'])).stderr).toMatch(/^Warning: .*dev\.env can be read by others/)
    expect(modeOf(file('dev'))).toBe('644')
    fs.chmodSync(path.dirname(file('dev')), 0o755)
    await ok('set', 'B', '2', 'dev')
    expect([modeOf(file('dev')), modeOf(path.dirname(file('dev')))]).toEqual(['600', '700'])
    expect((await runOk(home, ['env', 'show', 'dev'])).stderr).toBe('')
  })

  it('loses none of thirty that are set at the same time', async () => {
    write('dev', '# all of them\n')
    const names = Array.from({ length: 30 }, (_, index) => `MANY_${index}`)
    await Promise.all(names.map((name) => runOk(home, ['env', 'set', name, `value of ${name}`, 'dev'])))
    const lines = text('dev').trimEnd().split('\n')
    expect(lines[0]).toBe('# all of them')
    expect(lines.slice(1).sort()).toEqual(names.map((name) => `export ${name}="value of ${name}"`).sort())
  })

  it('writes through a link, and leaves it one', async () => {
    const real = path.join(home.root, 'kept-elsewhere.env')
    fs.writeFileSync(real, '')
    fs.rmSync(file('dev'))
    fs.symlinkSync(real, file('dev'))
    await ok('set', 'A', '1', 'dev')
    expect(fs.readFileSync(real, 'utf8')).toBe('export A="1"\n')
    expect([fs.lstatSync(file('dev')).isSymbolicLink(), modeOf(real)]).toEqual([true, '600'])
    fs.rmSync(file('dev'))
  })

  const secret = 'hush-hush'
  it.each([
    [['get', 'NOTHING'], /no variable "NOTHING" for pm-agent\nHint: .*env show pm-agent/],
    [['rm', 'LANGUAGE', 'dev'], /no variable "LANGUAGE" for dev\nHint: It is in the file of default/],
    [['show', '../x'], /"\.\.\/x" is not an agent\nHint: .*default, pm-agent, dev/],
    [['show', 'a b'], /"a b" is not an agent/],
    [['get', 'A', '$(x)'], /"\$\(x\)" is not an agent/],
    [['rm', 'A', '-rf'], /unknown option '-rf'/],
    [['set', 'A', secret, '../x'], /what follows the value is not an agent/],
    [['set', 'A', 'two', secret], /what follows the value is not an agent\nHint: .*quotes/],
    [['set', 'A', 'two', secret, 'words'], /too many arguments/],
    [['set', 'A', 'b', '-rf'], /what follows the value is not an agent/],
    [['set', '../x', secret], /not the name of a variable/],
    [['set', `TOKEN=${secret}`, 'dev'], /not the name of a variable\nHint: .*two words/],
    [['set', '-rf', secret], /not the name of a variable/],
    [['set', 'A B', secret], /not the name of a variable/],
    [['set', '$(x)', secret], /not the name of a variable/],
    [['set', '', secret], /not the name of a variable/],
    [['set', 'A'], /missing required argument 'value'/],
    [['set', `TOKEN=${secret}`], /missing required argument 'value'/],
    [['set', 'A', '-'], /standard input is empty\nHint: .*env set A ""/],
    [['get', ''], /no variable ""/],
  ])('refuses %j, tells no value, and changes nothing', async (args, said) => {
    const before = fs.readdirSync(path.dirname(file('x'))).map((name) => [name, text(path.basename(name, '.env'))])
    const { code, stdout, stderr } = await run(home, ['env', ...args])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^Error: [^\n]+\nHint: [^\n]+\n$/)
    expect(stderr).toMatch(said)
    expect(stderr).not.toContain(secret)
    expect(fs.readdirSync(path.dirname(file('x'))).map((name) => [name, text(path.basename(name, '.env'))])).toEqual(
      before,
    )
  })

  it.each([
    ['too long for a command', 'x'.repeat(130_000), 'is too long'],
    ['no text', Buffer.from('abc\xff', 'latin1'), 'is not UTF-8'],
    ['with a NUL', 'a\0b', 'NUL'],
  ])('refuses a value from standard input that is %s', async (_, input, said) => {
    const { code, stderr } = await run(home, ['env', 'set', 'REFUSED', '-', 'dev'], { input })
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(said) })
    expect((await run(home, ['env', 'get', 'REFUSED', 'dev'])).code).toBe(1)
  })

  it('refuses a file that is no text, and keeps every byte of it', async () => {
    const bytes = Buffer.from('export A="\xff\xfe"\n', 'latin1')
    fs.writeFileSync(file('dev'), bytes)
    const set = await run(home, ['env', 'set', 'B', '2', 'dev'])
    expect(set).toMatchObject({ code: 1, stderr: expect.stringContaining('is not UTF-8') })
    expect(fs.readFileSync(file('dev'))).toEqual(bytes)
    fs.rmSync(file('dev'))
    fs.mkdirSync(file('dev'))
    const shown = await runJson<{ error: { code: string } }>(home, ['env', 'show', 'dev', '--json'])
    expect([shown.code, shown.json.error.code]).toEqual([1, 'unreadable'])
    fs.rmdirSync(file('dev'))
  })

  it('says once that a setting is gone, whichever command reads the settings', async () => {
    fs.writeFileSync(path.join(home.kugetsuDir, 'config'), 'QUEUE_DAEMON_BATCH_SIZE=2\n')
    const said = []
    for (let time = 0; time < 3; time++) said.push((await runOk(home, ['server', 'list'])).stderr)
    expect(said).toEqual([
      expect.stringMatching(/^Warning: .*line 1: QUEUE_DAEMON_BATCH_SIZE is gone[^\n]*\n$/),
      '',
      '',
    ])
  })
})

describe('what agents get', () => {
  const canary = 'canary-c0ffee-5c1e7a'
  let stage: Stage
  beforeAll(async () => {
    stage = await setStage({
      model: {
        answer: ({ agentTurn, asked, lastRole }) => {
          if (!agentTurn) return undefined
          if (asked.includes('Tell it all') && lastRole === 'tool') return { text: `The token is ${canary}, I think.` }
          return asked.includes('Fail with it') ? { status: 400, text: `bad key ${canary}` } : undefined
        },
      },
    })
  })
  afterAll(() => stage.cleanup())

  const inWorktree = (number: number, name: string) => path.join(stage.worktree(number), name)
  const read = (number: number, name: string) => fs.readFileSync(inWorktree(number, name), 'utf8')

  it('are templates at first, which set nothing', async () => {
    const { json } = await runJson<{ exists: boolean; variables: string[] }[]>(stage.home, ['env', 'list', '--json'])
    expect(json).toHaveLength(3)
    expect(json.every(({ exists, variables }) => exists && variables.length === 0)).toBe(true)
  })

  it('is their place and their variables, new ones from the next command on', async () => {
    await stage.ok(['env', 'set', 'COLOUR', 'red', 'dev'])
    await stage.ok(['env', 'set', 'SHAPE', 'round', 'default'])
    const first = 'env > first.txt; until [ -e go ]; do sleep 0.1; done'
    await stage.ok(['start', ref(1), `BASH{{${first}}} BASH{{env > second.txt}}`])
    await waitFor('the first command', () => read(1, 'first.txt').includes('COLOUR'))
    await stage.ok(['env', 'set', 'COLOUR', '-', 'dev'], { input: 'blue' })
    await stage.ok(['env', 'rm', 'SHAPE', 'default'])
    fs.writeFileSync(inWorktree(1, 'go'), '')
    await stage.ok(['wait', ref(1)])
    const [before, after] = ['first.txt', 'second.txt'].map((name) => read(1, name).split('\n'))
    expect(before).toEqual(expect.arrayContaining(['COLOUR=red', 'SHAPE=round']))
    expect(after).toContain('COLOUR=blue')
    expect(after?.some((line) => line.startsWith('SHAPE='))).toBe(false)
    expect(after).toEqual(
      expect.arrayContaining([
        `KUGETSU_ISSUE_REF=${ref(1)}`,
        `KUGETSU_WORKTREE=${stage.worktree(1)}`,
        `KUGETSU_TEMP_DIR=${path.join(stage.home.root, '.local', 'share', 'opencode', 'tool-output')}`,
      ]),
    )
  })

  it('is told by nothing that kugetsu writes, prints or runs', async () => {
    await stage.ok(['env', 'set', 'CANARY_TOKEN', '-', 'dev'], { input: canary })
    const echo =
      'echo "$CANARY_TOKEN"; echo "again $CANARY_TOKEN" >&2; touch begun; until [ -e go ]; do sleep 0.1; done'
    await stage.ok(['queue-daemon', 'start'])
    await stage.ok(['queue', 'enqueue', ref(2), `Tell it all. BASH{{${echo}}}`])
    await waitFor('the command', () => fs.existsSync(inWorktree(2, 'begun')))
    expect(commandLinesWith(canary)).toEqual([])
    fs.writeFileSync(inWorktree(2, 'go'), '')
    await stage.ok(['wait', ref(2)])
    // Fails for good, with an error that quotes it.
    await stage.ok(['queue', 'enqueue', ref(3), 'Fail with it.'])
    const failed = await waitFor('the end of the task', async () => {
      const { json } = await runJson<{ issue_ref: string; state: string; error: string }[]>(stage.home, [
        'queue',
        'list',
        '--json',
      ])
      return json.find((item) => item.issue_ref === ref(3) && item.state === 'error')
    })
    expect(failed.error).toContain('bad key ***MASKED***')

    const transcript = await stage.ok(['logs', ref(2)])
    expect(transcript).toMatch(/^ +\*\*\*MASKED\*\*\*$/m)
    expect(transcript).toContain('The token is ***MASKED***, I think.')
    const commands = [
      ['logs', ref(2)],
      ['logs', ref(3)],
      ['list', '--json'],
      ['status', '--json'],
      ['queue', 'list'],
      ['env', 'show', 'dev'],
    ]
    for (const args of commands) {
      const { stdout, stderr } = await stage.kugetsu(args)
      expect(stdout + stderr, args.join(' ')).not.toContain(canary)
    }
    await stage.ok(['queue-daemon', 'stop'])
    // opencode itself has what agents print in its database, wherever that is.
    const database = path.relative(stage.home.kugetsuDir, stage.look().database)
    const others = filesWith(stage.home.kugetsuDir, canary).filter((file) => !file.startsWith(database))
    expect(others).toEqual(['env/dev.env'])
  })
})
