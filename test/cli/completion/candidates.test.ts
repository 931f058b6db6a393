import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { candidates } from '../../../src/cli/completion/candidates.ts'
import { valuesIn } from '../../../src/cli/completion/values.ts'
import { createProgram, isHidden } from '../../../src/cli/program.ts'
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
  write(path.join(paths.queueItems, 'q_1001.json'), {
    id: 'q_1001',
    state: 'pending',
    issue_ref: 'forge.test/me/app#14',
  })
  write(path.join(paths.queueItems, 'q_1002.json'), { id: 'q_1002', state: 'error', issue_ref: 'forge.test/me/app#15' })
  fs.writeFileSync(path.join(paths.queueItems, 'q_1003.json'), '{"state": ')
})
afterAll(() => context.cleanup())

function write(file: string, value: unknown): void {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, JSON.stringify(value))
}

/** What is offered at the end of `kugetsu <line>`, words separated by single blanks. */
function offered(line: string): string[] {
  const words = line.split(' ')
  const program = createProgram(context, '0', ['__complete', '--', ...words])
  return candidates(program, words, valuesIn(context), isHidden).map(({ value }) => value)
}

describe('completion', () => {
  it('offers commands and subcommands, and nothing that is hidden', () => {
    expect(offered('st')).toEqual(['start', 'status', 'stop'])
    expect(offered('')).toEqual(expect.arrayContaining(['start', 'queue', 'doctor', 'help']))
    expect(offered('').filter((name) => name.startsWith('_') || name === 'supervise')).toEqual([])
    expect(offered('queue re')).toEqual(['remove', 'retry'])
    expect(offered('help queue-')).toEqual(['queue-daemon'])
    expect(offered('help queue ret')).toEqual(['retry'])
    expect(offered('nonsense ')).toEqual([])
  })

  it('offers the flags of a command, each once, and the values that are fixed', () => {
    expect(offered('init --')).toEqual(['--json', '--debug', '--force', '--tui', '--help'])
    expect(offered('init --force --f')).toEqual([])
    expect(offered('logs -f --f')).toEqual([])
    expect(offered('server add x git://x --type ')).toEqual(['gitea', 'github', 'gitlab', 'unknown'])
    expect(offered('server add x git://x --type=gitl')).toEqual(['--type=gitlab'])
    expect(offered('completion ')).toEqual(['bash', 'zsh', 'fish'])
    expect(offered('wait --timeout ')).toEqual([])
    expect(offered('wait --timeout 5 --timeout=9 forge.test/m')).toContain('forge.test/me/app#14')
    expect(offered('start -- --f')).toEqual([])
  })

  it('offers the refs of sessions, whole or as a tail that only one has', () => {
    expect(offered('logs ')).toEqual([
      'forge.test/me/app#14',
      'forge.test/me/app#15',
      'forge.test/you/app#15',
      '127.0.0.1:3000/me/tool#7',
    ])
    expect(offered('logs app')).toEqual(['app#14'])
    expect(offered('logs me/a')).toEqual(['me/app#14', 'me/app#15'])
    expect(offered('logs 1')).toEqual(['127.0.0.1:3000/me/tool#7', '14'])
    expect(offered('logs 127.0.0.1:3000/')).toEqual(['127.0.0.1:3000/me/tool#7'])
    expect(offered('wait forge.test/me/app#14 forge.test/y')).toEqual(['forge.test/you/app#15'])
    expect(offered('start forge.test/me/app#14 fo')).toEqual([])
  })

  it('offers tasks by what can be done with them, and servers', () => {
    expect(offered('queue show q')).toEqual(['q_1001', 'q_1002', 'q_1003'])
    expect(offered('queue remove ')).toEqual(['q_1001'])
    expect(offered('queue retry ')).toEqual(['q_1002'])
    expect(offered('explain q_1')).toEqual(['q_1001', 'q_1002', 'q_1003'])
    expect(offered('explain forge.test/y')).toEqual(['forge.test/you/app#15'])
    expect(offered('server get ')).toEqual(['work', 'old', 'github.com'])
    expect(offered('server add ')).toEqual([])
  })

  it('knows the names of variables and their agents', () => {
    const { env } = context.paths
    fs.mkdirSync(env)
    fs.writeFileSync(path.join(env, 'default.env'), 'export GITEA_TOKEN="secret"\n# NOT_THIS=1\n')
    fs.writeFileSync(path.join(env, 'dev.env'), 'EDITOR=vi\nGITEA_TOKEN=other\n')
    const values = valuesIn(context)
    expect(values('key', ['env', 'get'], '').map(({ value }) => value)).toEqual(['GITEA_TOKEN', 'EDITOR'])
    expect(values('agent', ['env', 'show'], '').map(({ value }) => value)).toEqual(['default', 'dev', 'pm-agent'])
  })

  it('changes nothing, whatever it reads', () => {
    fs.writeFileSync(context.paths.index, '{"issues": ')
    expect(offered('logs ')).toEqual([])
    expect(fs.readFileSync(context.paths.index, 'utf8')).toBe('{"issues": ')
    expect(fs.readFileSync(path.join(context.paths.queueItems, 'q_1003.json'), 'utf8')).toBe('{"state": ')
  })
})
