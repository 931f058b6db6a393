import { forgeTypes } from '../../../src/config/forge-types.ts'
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { candidates } from '../../../src/cli/completion/candidates.ts'
import { valuesIn } from '../../../src/cli/completion/values.ts'
import { isHidden } from '../../../src/cli/define.ts'
import { createProgram } from '../../../src/cli/program.ts'
import { placesOf } from '../../../src/queue/places.ts'
import { createFakeContext, type FakeContext } from '../../helpers/fake-context.ts'

let context: FakeContext
beforeAll(() => {
  context = createFakeContext()
  const { paths } = context
  write(paths.index, {
    base: 'ses_1',
    issues: {
      'forge.test/me/app#14': 'a.json',
      'forge.test/me/app#15': 'b.json',
      'forge.test/you/app#15': 'c.json',
      '127.0.0.1:3000/me/tool#7': 'd.json',
      'forge.test/me/app#$(touch x)': 'e.json',
      'two words#1': 'f.json',
    },
  })
  write(paths.servers, { servers: [{ name: 'work', url: 'ssh://git@work.test' }, { name: 7 }, 'none'] })
  fs.writeFileSync(paths.config, 'declare -A GIT_SERVERS=(["old"]="https://old.test")\n')
  write(path.join(placesOf({ paths }).items, 'q_1001.json'), {
    id: 'q_1001',
    state: 'pending',
    issue_ref: 'forge.test/me/app#14',
  })
  write(path.join(placesOf({ paths }).items, 'q_1002.json'), {
    id: 'q_1002',
    state: 'error',
    issue_ref: 'forge.test/me/app#15',
  })
  fs.writeFileSync(path.join(placesOf({ paths }).items, 'q_1003.json'), '{"state": ')
})
afterAll(() => context.cleanup())

function write(file: string, value: unknown): void {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, JSON.stringify(value))
}

/** What is offered at the end of `kugetsu <line>`, words separated by single blanks. */
async function offered(line: string): Promise<string[]> {
  const words = line.split(' ')
  const program = createProgram(context, '0', ['__complete', '--', ...words])
  return (await candidates(program, words, valuesIn(context), isHidden)).map(({ value }) => value)
}

describe('completion', () => {
  it('offers commands and subcommands, and nothing that is hidden', async () => {
    expect(await offered('st')).toEqual(['start', 'status', 'stop'])
    expect(await offered('')).toEqual(expect.arrayContaining(['start', 'queue', 'doctor', 'help']))
    expect((await offered('')).filter((name) => name.startsWith('_') || name === 'supervise')).toEqual([])
    expect(await offered('queue re')).toEqual(['remove', 'retry'])
    expect(await offered('help queue-')).toEqual(['queue-daemon'])
    expect(await offered('help queue ret')).toEqual(['retry'])
    expect(await offered('nonsense ')).toEqual([])
  })

  it('offers the flags of a command, each once, and the values that are fixed', async () => {
    expect(await offered('init --')).toEqual(['--json', '--debug', '--force', '--tui', '--help'])
    expect(await offered('init --force --f')).toEqual([])
    expect(await offered('logs -f --f')).toEqual([])
    expect(await offered('server add x git://x --type ')).toEqual(forgeTypes)
    expect(await offered('server add x git://x --type=gitl')).toEqual(['--type=gitlab'])
    expect(await offered('completion ')).toEqual(['bash', 'zsh', 'fish'])
    expect(await offered('wait --timeout ')).toEqual([])
    expect(await offered('wait --timeout 5 --timeout=9 forge.test/m')).toContain('forge.test/me/app#14')
    expect(await offered('list --status fa')).toEqual(['failed'])
    expect(await offered('start -- --f')).toEqual([])
  })

  it('offers the refs of sessions, whole or as a tail that only one has', async () => {
    expect(await offered('logs ')).toEqual([
      'forge.test/me/app#14',
      'forge.test/me/app#15',
      'forge.test/you/app#15',
      '127.0.0.1:3000/me/tool#7',
    ])
    expect(await offered('logs app')).toEqual(['app#14'])
    expect(await offered('logs me/a')).toEqual(['me/app#14', 'me/app#15'])
    expect(await offered('logs 1')).toEqual(['127.0.0.1:3000/me/tool#7', '14'])
    expect(await offered('logs 127.0.0.1:3000/')).toEqual(['127.0.0.1:3000/me/tool#7'])
    expect(await offered('wait forge.test/me/app#14 forge.test/y')).toEqual(['forge.test/you/app#15'])
    expect(await offered('start forge.test/me/app#14 fo')).toEqual([])
  })

  it('offers tasks by what can be done with them, and servers', async () => {
    expect(await offered('queue show q')).toEqual(['q_1001', 'q_1002', 'q_1003'])
    expect(await offered('queue remove ')).toEqual(['q_1001', 'forge.test/me/app#14'])
    expect(await offered('queue retry ')).toEqual(['q_1002', 'forge.test/me/app#15'])
    expect(await offered('explain q_1')).toEqual(['q_1001', 'q_1002', 'q_1003'])
    expect(await offered('explain forge.test/y')).toEqual(['forge.test/you/app#15'])
    expect(await offered('server get ')).toEqual(['work', 'old', 'github.com'])
    expect(await offered('server add ')).toEqual([])
  })

  it('knows the names of variables and their agents', async () => {
    const { env } = context.paths
    fs.mkdirSync(env)
    fs.writeFileSync(path.join(env, 'default.env'), 'export GITEA_TOKEN="secret"\n# NOT_THIS=1\n')
    fs.writeFileSync(path.join(env, 'dev.env'), 'EDITOR=vi\nGITEA_TOKEN=other\n')
    const values = valuesIn(context)
    expect((await values('key', ['env', 'get'], '', [])).map(({ value }) => value)).toEqual(['GITEA_TOKEN', 'EDITOR'])
    expect((await values('agent', ['env', 'show'], '', [])).map(({ value }) => value)).toEqual([
      'default',
      'dev',
      'pm-agent',
    ])
  })

  it('offers the models of the providers in use, and those of the configuration', async () => {
    const { userHome, paths, env } = context
    const models = (...names: string[]) => Object.fromEntries(names.map((name) => [name, {}]))
    const catalogue = path.join(userHome, '.cache', 'opencode', 'models.json')
    write(catalogue, {
      asked: { env: ['ASKED_KEY'], models: models('one', 'vendor/two') },
      'by-variable': { env: ['OTHER_KEY', 'VARIABLE_KEY'], models: models('three:free') },
      'by-login': { models: models('four') },
      unused: { env: ['UNUSED_KEY'], models: models('five') },
      spoiled: { env: 7, models: null },
    })
    write(paths.connected, { providers: ['asked', 'gone', 'spoiled'] })
    write(path.join(userHome, '.local', 'share', 'opencode', 'auth.json'), { 'by-login': { key: 'secret' } })
    write(path.join(userHome, '.config', 'opencode', 'opencode.json'), {
      provider: { own: { models: models('six') }, asked: { models: models('one', 'my') }, odd: null },
      agent: { review: { mode: 'primary' }, helper: { mode: 'subagent' }, odd: 7 },
    })
    env['VARIABLE_KEY'] = 'set'
    const all = ['asked/my', 'asked/one', 'asked/vendor/two', 'by-login/four', 'by-variable/three:free', 'own/six']
    expect(await offered('start app#14 "x" --model ')).toEqual(all)
    expect(await offered('queue enqueue app#14 x --model=by-')).toEqual([
      '--model=by-login/four',
      '--model=by-variable/three:free',
    ])
    fs.writeFileSync(catalogue, '{"asked": ')
    expect(await offered('start app#14 "x" --model ')).toEqual(['asked/my', 'asked/one', 'own/six'])
  })

  it('offers the agents of opencode that a session can be with', async () => {
    const configuration = path.join(context.userHome, '.config', 'opencode')
    write(path.join(configuration, 'agent', 'writer.md'), '')
    write(path.join(configuration, 'agents', 'tester.md'), '')
    expect(await offered('start app#14 x --agent ')).toEqual(['build', 'odd', 'plan', 'review', 'tester', 'writer'])
  })

  it('reads a configuration with comments, and goes by what the last of its files says', async () => {
    const configuration = path.join(context.userHome, '.config', 'opencode')
    const review = `{
      // who looks at it
      "agent": { "critic": { "mode": "primary" }, "review": { "mode": "subagent" }, }, /* "gone": {} */
      "provider": { "own": { "models": { "seven": {} } } },
    }`
    fs.writeFileSync(path.join(configuration, 'opencode.jsonc'), review)
    expect(await offered('start app#14 x --agent ')).toEqual(['build', 'critic', 'odd', 'plan', 'tester', 'writer'])
    expect(await offered('start app#14 x --model own/')).toEqual(['own/seven', 'own/six'])
    fs.writeFileSync(path.join(configuration, 'opencode.jsonc'), '{ "agent": { "critic": {}, "rev')
    expect(await offered('start app#14 x --agent ')).toEqual(['build', 'odd', 'plan', 'review', 'tester', 'writer'])
  })

  it('offers the branches of the repository that is named, as its mirror has them', async () => {
    const mirror = (repository: string) => path.join(context.paths.repos, `${repository}.git`)
    const git = (at: string, ...args: string[]) => execFileSync('git', ['-C', at, ...args], { encoding: 'utf8' }).trim()
    for (const [repository, names] of [
      ['forge.test/me/app', ['main', 'release/1.0']],
      ['forge.test/you/app', ['trunk']],
    ] as const) {
      fs.mkdirSync(mirror(repository), { recursive: true })
      git(mirror(repository), 'init', '-q', '--bare')
      const tree = git(mirror(repository), 'hash-object', '-t', 'tree', '-w', '/dev/null')
      const who = ['-c', 'user.name=a', '-c', 'user.email=a@b']
      const commit = git(mirror(repository), ...who, 'commit-tree', '-m', 'x', tree)
      for (const name of names) git(mirror(repository), 'update-ref', `refs/remotes/origin/${name}`, commit)
      git(mirror(repository), 'symbolic-ref', 'refs/remotes/origin/HEAD', `refs/remotes/origin/${names[0]}`)
      git(mirror(repository), 'update-ref', 'refs/heads/fix/issue-14', commit)
    }
    git(mirror('forge.test/me/app'), 'pack-refs', '--all')
    git(mirror('forge.test/me/app'), 'update-ref', 'refs/remotes/origin/new', 'refs/remotes/origin/main')
    expect(await offered('start me/app#14 x --base ')).toEqual(['main', 'new', 'release/1.0'])
    expect(await offered('queue enqueue forge.test/you/app#3 --base ')).toEqual(['trunk'])
    expect(await offered('start app#14 --base re')).toEqual(['release/1.0'])
    expect(await offered('start --base ')).toEqual(['main', 'new', 'release/1.0', 'trunk'])
    expect(await offered('start pp#14 --base ')).toEqual([])
  })

  it('changes nothing, whatever it reads', async () => {
    fs.writeFileSync(context.paths.index, '{"issues": ')
    expect(await offered('logs ')).toEqual(['forge.test/me/app#14']) // its task waits in the queue
    expect(fs.readFileSync(context.paths.index, 'utf8')).toBe('{"issues": ')
    expect(fs.readFileSync(path.join(placesOf(context).items, 'q_1003.json'), 'utf8')).toBe('{"state": ')
  })
})
