import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHome, type Home } from '../helpers/home.ts'
import { programPath, run, runOk } from '../helpers/kugetsu.ts'

let home: Home
beforeAll(async () => {
  home = createHome()
  fs.symlinkSync(programPath, path.join(home.bin, 'kugetsu'))
  await runOk(home, ['server', 'add', 'work', 'git://127.0.0.1:1'])
  const issues = ['forge.test/me/app#14', 'forge.test/me/app#15', '127.0.0.1:3000/me/tool#7']
  write('index.json', {
    base: 'ses_1',
    pm_agent: 'ses_2',
    issues: Object.fromEntries(issues.map((ref) => [ref, 'x.json'])),
  })
  write('queue/items/q_1763722800417.json', {
    id: 'q_1763722800417',
    state: 'pending',
    issue_ref: issues[0],
    message: 'x',
  })
})
afterAll(() => home.cleanup())

function write(file: string, value: unknown): void {
  const whole = path.join(home.kugetsuDir, file)
  fs.mkdirSync(path.dirname(whole), { recursive: true, mode: 0o700 })
  fs.writeFileSync(whole, JSON.stringify(value), { mode: 0o600 })
}

const offered = async (...words: string[]) =>
  (await runOk(home, ['__complete', '--', ...words])).stdout.split('\n').slice(0, -1)

/** What is typed, `\t` being the key, and the words that kugetsu then gets. */
const typed: [string, string[]][] = [
  ['kugetsu stat\t', ['status']],
  ['kugetsu logs ap\t4', ['logs', 'app#14']],
  ['kugetsu logs 127.0.0.1:30\t', ['logs', '127.0.0.1:3000/me/tool#7']],
  ['kugetsu logs 127\t', ['logs', '127.0.0.1:3000/me/tool#7']],
  ['kugetsu logs "forge.test/me/app#15\t', ['logs', 'forge.test/me/app#15']],
  ['kugetsu server add a git://b --type=gitl\t', ['server', 'add', 'a', 'git://b', '--type=gitlab']],
  ['kugetsu server add a git://b --type gitl\t', ['server', 'add', 'a', 'git://b', '--type', 'gitlab']],
  ['kugetsu server get wo\t', ['server', 'get', 'work']],
  ['kugetsu start app#14 "a b: c=d" --wa\t', ['start', 'app#14', 'a b: c=d', '--wait']],
  ['kugetsu queue show q\t', ['queue', 'show', 'q_1763722800417']],
  ['kugetsu   queue   sho\t', ['queue', 'show']],
]

describe('the hidden command', () => {
  it('answers with values and descriptions, a line each', async () => {
    expect(await offered('sto')).toEqual(['stop\tStop agents and the commands they run; keep sessions and worktrees'])
    expect(await offered('wait', 'forge.test/me/app#14', 'forge.test/me/app#1')).toEqual([
      'forge.test/me/app#14',
      'forge.test/me/app#15',
    ])
    expect(await offered('queue', 'show', '')).toEqual([
      'q_1763722800417\tpending forge.test/me/app#14',
      'forge.test/me/app#14',
    ])
    expect((await offered('list', '--')).map((line) => line.split('\t')[0])).toEqual([
      '--json',
      '--debug',
      '--watch',
      '--status',
      '--repo',
      '--limit',
      '--all',
      '--help',
    ])
  })

  it('has nothing to say of what it does not understand', async () => {
    for (const words of [['nonsense', ''], ['queue', 'nonsense', 'x'], ['', ''], []]) {
      expect(await run(home, ['__complete', '--', ...words]), words.join(' ')).toMatchObject({ code: 0, stderr: '' })
    }
    expect((await runOk(home, ['help'])).stdout).not.toContain('__complete')
  })
})

describe('completion', () => {
  it('is printed for shells that are known', async () => {
    for (const shell of ['bash', 'zsh', 'fish'])
      expect((await runOk(home, ['completion', shell])).stdout).toContain('__complete')
    const refused = await run(home, ['completion', 'tcsh'])
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^Error: [^\n]*bash, zsh or fish\nHint: [^\n]+\n$/)
  })

  it('works in bash, as it is typed', async () => {
    // kugetsu shows the words it gets; for the completion it is the real one.
    const file = path.join(home.root, 'bashrc')
    fs.writeFileSync(file, `source <(kugetsu completion bash)\nkugetsu() {\n${stand}\n}\n`)
    // With -i and without a terminal readline reads from the pipe.
    const said = await type(
      'bash',
      ['--noprofile', '--rcfile', file, '-i'],
      // The last line is completed and then deleted.
      [...typed.map(([line]) => line), 'kugetsu logs $(touch run) `touch run`\t\u0015'],
    )
    expect(wordsIn(said)).toEqual(typed.map(([, words]) => words))
    expect(fs.readdirSync(home.cwd)).toEqual([])
  })

  it.skipIf(!isInstalled('fish'))('works in fish (where that is installed)', async () => {
    const { stdout } = await runOk(home, ['completion', 'fish'])
    const file = path.join(home.root, 'kugetsu.fish')
    fs.writeFileSync(file, stdout)
    const complete = (line: string) =>
      execFileSync(programAt('fish'), ['--no-config', '-c', `source ${file}; complete -C '${line}'`], {
        env: home.env,
        cwd: home.cwd,
        encoding: 'utf8',
        timeout: 60_000,
      })
        .trim()
        .split('\n')
        .map((each) => each.split('\t')[0])
    expect(complete('kugetsu stat')).toEqual(['status'])
    expect(complete('kugetsu logs app')).toEqual(['app#14', 'app#15'])
    expect(complete('kugetsu logs 127.0.0.1:3')).toEqual(['127.0.0.1:3000/me/tool#7'])
    expect(complete('kugetsu server add a b --type ')).toEqual(['gitea', 'github', 'gitlab', 'unknown'])
    expect(complete('kugetsu server add a b --type=gitl')).toEqual(['--type=gitlab'])
  })

  it.skipIf(!isInstalled('zsh'))('works in zsh (where that is installed)', async () => {
    const setUp = `PS1=''; autoload -Uz compinit; compinit -u -D; source <(command kugetsu completion zsh); kugetsu() { ${stand.replace(/\n/g, '; ')} }`
    const file = path.join(home.root, 'typed.zsh')
    // A terminal of its own for a zsh; each line is typed when the one before has been answered.
    fs.writeFileSync(
      file,
      [
        'zmodload zsh/zpty || exit 1',
        `zpty z '${programAt('zsh')} -f -i'`,
        `zpty -w z ${quoted(`${setUp}; echo REA''DY`)}`,
        `zpty -r z said '*READY*' || exit 2`,
        ...typed.flatMap(([line]) => [
          `zpty -w z ${quoted(line)}`,
          `zpty -r z said '*<*>END*' || exit 3`,
          'print -rn -- "$said"',
        ]),
        'zpty -d z',
      ].join('\n'),
    )
    const said = await type('zsh', ['-f', file], [])
    expect(wordsIn(said.replaceAll('\r', ''))).toEqual(typed.map(([, words]) => words))
  })
})

/** The body of a shell function that stands for kugetsu. */
const stand = `if [[ $1 == __complete ]]; then command kugetsu "$@"; else printf '<%s>' "$@"; echo END; fi`

/** The words kugetsu got, call by call. */
function wordsIn(said: string): string[][] {
  return [...said.matchAll(/^.*?((?:<[^<>]*>)+)END$/gm)].map(([, words]) => (words ?? '').slice(1, -1).split('><'))
}

/** Runs a shell and types the lines; what it printed. */
async function type(shell: string, args: string[], lines: string[]): Promise<string> {
  const child = spawn(programAt(shell), args, { env: home.env, cwd: home.cwd, stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  let wrong = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (wrong += text))
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000)
  child.stdin.end(lines.map((line) => `${line}\n`).join(''))
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  clearTimeout(timer)
  if (code !== 0) throw new Error(`${shell} ended with ${code}:\n${said}\n${wrong}`)
  return said
}

function quoted(text: string): string {
  return `$'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\t', '\\t')}'`
}

function programAt(shell: string): string {
  const directories = (process.env['PATH'] ?? '').split(path.delimiter)
  return directories.map((each) => path.join(each, shell)).find((file) => fs.existsSync(file)) ?? shell
}

function isInstalled(shell: string): boolean {
  return path.isAbsolute(programAt(shell))
}
