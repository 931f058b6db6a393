/** Every command with arguments that make no sense: one clear line, a sensible exit code, and nothing changed. */
import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isHidden } from '../../src/cli/define.ts'
import { createProgram } from '../../src/cli/program.ts'
import { createFakeContext } from '../helpers/fake-context.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { kugetsuCommand, run, runOk, type Finished } from '../helpers/kugetsu.ts'
import { leftovers } from '../helpers/processes.ts'

const fixture = fileURLToPath(new URL('../fixtures/bash-home', import.meta.url))
/** Those that go on until they are told to stop, or whose work is to make or ask what is not here. */
const others = ['init', 'demo', 'attach', 'doctor', 'queue-daemon start', 'queue-daemon run', 'queue-daemon restart']

const context = createFakeContext()
const commands = createProgram(context, '0', []).commands.flatMap((each) => (isHidden(each) ? [] : leavesOf(each, [])))

interface Leaf {
  words: string[]
  /** How many arguments it must have. */
  required: number
  /** How many it may have. */
  most: number
}

function leavesOf(command: Command, before: string[]): Leaf[] {
  const words = [...before, command.name()]
  if (command.commands.length > 0) return command.commands.flatMap((each) => leavesOf(each, words))
  const args = command.registeredArguments
  const most = args.some(({ variadic }) => variadic) ? Infinity : args.length
  return others.includes(words.join(' '))
    ? []
    : [{ words, required: args.filter((each) => each.required).length, most }]
}

let home: Home
/** Without opencode nothing that is accepted by mistake can go far. */
const env = { KUGETSU_OPENCODE: '/nowhere/opencode', ENABLE_CONTEXT_DUMP: 'false' }
beforeAll(async () => {
  home = createHome()
  fs.cpSync(fixture, home.kugetsuDir, { recursive: true })
  await runOk(home, ['queue', 'list']) // takes over what an old queue has
})
afterAll(async () => {
  context.cleanup()
  await home.cleanup()
})

/** What lies in the home, but for what every command may leave: locks, notes of what was refused, what was said once. */
function contents(): Record<string, string> {
  const names = fs.readdirSync(home.kugetsuDir, { recursive: true, encoding: 'utf8' })
  return Object.fromEntries(
    names
      .filter((name) => !/^(locks|said|journal)/.test(name))
      .filter((name) => fs.lstatSync(path.join(home.kugetsuDir, name)).isFile())
      .sort()
      .map((name) => [name, fs.readFileSync(path.join(home.kugetsuDir, name), 'utf8')]),
  )
}

function expectClear(finished: Finished, what: string): void {
  const { code, stdout, stderr } = finished
  expect(code, `${what}: ${stderr}`).not.toBeNull()
  expect([0, 1, 2], `${what}: ${stderr}`).toContain(code)
  expect(stderr, what).not.toMatch(/\n {4}at |unexpected:|defect of kugetsu/)
  if (code === 0) return
  const errors = stderr.split('\n').filter((line) => line.startsWith('Error: '))
  expect(errors, `${what}: ${stdout}${stderr}`).toHaveLength(1)
  expect(errors[0]?.length, what).toBeLessThan(700)
  // Control characters of what was given must not reach the terminal.
  // oxlint-disable-next-line no-control-regex
  expect(stderr, what).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/)
}

/** Runs them a few at a time, in order. */
async function each<T>(cases: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const rest = [...cases]
  const worker = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) await work(next)
  }
  await Promise.all([worker(), worker(), worker()])
}

describe('a command', () => {
  it('that there is none of is named without what it would do to a terminal', async () => {
    for (const name of ['\u001b[31mstart\nnow', 'x'.repeat(50_000), '../x', '$(touch pwned)', 'stat', '']) {
      const finished = await run(home, [name], { env })
      expectClear(finished, name.slice(0, 50))
      expect(finished.code).toBe(1)
    }
    expect((await run(home, ['stat'], { env })).stderr).toContain('Hint: Did you mean')
  })

  it('with too few or too many arguments says how it is called', async () => {
    const before = contents()
    const few = commands.filter(({ required }) => required > 0).map(({ words }) => words)
    const many = commands
      .filter(({ most }) => most < Infinity)
      .map(({ words, most }) => [...words, ...Array.from({ length: most + 1 }, () => 'me/app#1')])
    await each([...few, ...many], async (args) => {
      const finished = await run(home, args, { env })
      expectClear(finished, args.join(' '))
      expect(finished.code, args.join(' ')).toBe(1)
      expect(finished.stderr).toContain('Hint: ')
    })
    expect(contents()).toEqual(before)
  })

  it.each([
    ['nothing', ''],
    ['what leads out of a directory', '../../x'],
    ['what a shell would run', '$(touch pwned) `touch pwned`; touch pwned'],
    ['several words and lines', 'a b\n\u001b[31mc\u0007 \u202e'],
    ['far too much', 'x/'.repeat(50_000)],
  ])('given %s for all that it must have changes nothing when it refuses it', async (_, value) => {
    const start = contents()
    const taking = commands.filter(({ required }) => required > 0)
    let refused = 0
    for (const { words, required } of taking) {
      const args = [...words, ...Array.from({ length: required }, () => value)]
      const before = contents()
      const finished = await run(home, args, { env, input: '' })
      expectClear(finished, words.join(' '))
      if (finished.code === 0) continue
      refused++
      expect(contents(), words.join(' ')).toEqual(before)
    }
    // Any text is a message, and a value of a variable; all else wants a name.
    expect(taking.length - refused).toBeLessThanOrEqual(2)
    expect(fs.readdirSync(home.cwd)).not.toContain('pwned')
    restore(start)
  })

  it('given bytes that are no text refuses them, or takes them for something else', () => {
    const before = contents()
    for (const args of [['start'], ['queue', 'enqueue'], ['env', 'set'], ['server', 'add'], ['set-pr']]) {
      const call = [...kugetsuCommand, ...args].map((word) => `'${word}'`).join(' ')
      const script = `${call} $'\\xff\\xfe' $'\\xc3\\x28' 2>&1; echo "code $?"`
      const said = execFileSync('bash', ['-c', script], {
        cwd: home.cwd,
        env: { ...home.env, ...env },
        encoding: 'utf8',
      })
      expect(said, args.join(' ')).toMatch(/^Error: [^\n]+\nHint: [^]+\ncode 1\n$/)
    }
    expect(contents()).toEqual(before)
  })
})

describe('flags and messages', () => {
  it.each([
    [['start', 'me/app#1', 'x', '--timeout', '5'], '--timeout has no effect without --wait'],
    [['continue', 'me/app#1', '--timeout', '5'], '--timeout has no effect without --wait'],
    [['delegate', 'x', '--timeout', '5'], '--timeout has no effect without --wait'],
    [['continue', 'me/app#1', '--now', '--queue'], "option '--now' cannot be used with option '--queue'"],
    [
      ['destroy', '#14', '--pm-agent'],
      'destroy takes only one of issue refs, --all, --merged or --status, --pm-agent and --base',
    ],
    [['prune', '-y'], '-y has no effect without --force'],
    [['recover', '-y'], '-y has no effect without --drop'],
    [['logs', '-f'], '-f follows one transcript, but a number lists delegations'],
  ])('%j is refused: it would not do what it says', async (args, said) => {
    const before = contents()
    const finished = await run(home, args, { env })
    expectClear(finished, args.join(' '))
    expect(finished).toMatchObject({ code: 1, stderr: expect.stringContaining(`Error: ${said}\n`) })
    expect(contents()).toEqual(before)
  })

  it('a message that is no text is refused, however it comes in, and one with a question mark of its own is not', async () => {
    const before = contents()
    const commandsWithOne = [
      ['start', 'me/app#1'],
      ['continue', 'me/app#1'],
      ['delegate'],
      ['queue', 'enqueue', 'me/app#1'],
    ]
    for (const words of commandsWithOne) {
      for (const input of [Buffer.from([0x61, 0xff]), 'a\0b']) {
        const finished = await run(home, [...words, '-', '--json'], { env, input })
        expect([finished.code, finished.stdout]).toEqual([1, expect.stringContaining('"code": "bad_message"')])
      }
      const call = [...kugetsuCommand, ...words].map((word) => `'${word}'`).join(' ')
      const options = { cwd: home.cwd, env: { ...home.env, ...env }, encoding: 'utf8' as const }
      const { stdout } = spawnSync('bash', ['-c', `${call} $'a \\xff' --json`], options)
      expect(stdout).toContain('"code": "bad_message"')
    }
    expect(contents()).toEqual(before)
    await runOk(home, ['queue', 'enqueue', 'me/app#1', 'it shows \ufffd'], { env })
    restore(before)
  })
})

describe('the surroundings', () => {
  it('may have no working directory: only what needs one says so', () => {
    const gone = path.join(home.root, 'gone')
    const inGone = (...args: string[]) => {
      const words = [...kugetsuCommand, ...args].map((word) => `'${word}'`).join(' ')
      const script = `mkdir '${gone}' && cd '${gone}' && rmdir '${gone}' && exec ${words}`
      return spawnSync('bash', ['-c', script], { env: { ...home.env, ...env }, encoding: 'utf8' })
    }
    for (const args of [['--version'], ['help'], ['list'], ['list', '--json'], ['status'], ['completion', 'bash']]) {
      expect(inGone(...args), args.join(' ')).toMatchObject({ status: 0, stderr: '' })
    }
    for (const args of [
      ['wait', '#14'],
      ['recover', '1f0e44ab', '--to', 'x'],
    ]) {
      const { status, stdout, stderr } = inGone(...args)
      expectClear({ code: status, stdout, stderr }, args.join(' '))
      expect(status).toBe(1)
    }
    expect(inGone('wait', '#14').stderr).toContain('Hint: Go to another one: cd ~')
  })

  it.skipIf(!fs.existsSync('/dev/full'))('may take no output, which is an error and never a stack', () => {
    const full = fs.openSync('/dev/full', 'w')
    const printing = [
      ['help'],
      ['--version'],
      ['start', '--help'],
      ['list'],
      ['list', '--json'],
      ['status'],
      ['completion', 'bash'],
      ['env', 'list'],
      ['wait', 'nobody/has#1', '--json'],
    ]
    for (const args of printing) {
      const [program, ...first] = kugetsuCommand
      const { status, stderr } = spawnSync(program, [...first, ...args], {
        cwd: home.cwd,
        env: { ...home.env, ...env },
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      })
      expect([args, status, stderr]).toEqual([
        args,
        1,
        expect.stringMatching(/(^|\n)Error: the output cannot be written: ENOSPC.*\n$/),
      ])
    }
    fs.closeSync(full)
  })
})

/** Whether a directory can be made read-only for root as well, as it takes a mount. */
const canMount = spawnSync('unshare', ['-m', 'mount', '--bind', '/mnt', '/mnt']).status === 0

describe.skipIf(!canMount)('a home that can only be read', () => {
  /** Runs kugetsu where the home is mounted read-only. */
  function reading(args: string[]): Finished {
    const script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    const call = ['-m', 'sh', '-c', script, home.kugetsuDir, ...kugetsuCommand, ...args]
    const { status, stdout, stderr } = spawnSync('unshare', call, {
      cwd: home.cwd,
      env: { ...home.env, ...env },
      encoding: 'utf8',
    })
    return { code: status, stdout, stderr }
  }

  it.each([
    ['list'],
    ['status'],
    ['queue', 'list'],
    ['queue', 'stats'],
    ['notify'],
    ['env', 'show'],
    ['server', 'list'],
  ])('is still shown by %s %s', (...words) => {
    const args = words.filter((word) => word !== undefined)
    expect(reading(args)).toMatchObject({ code: 0, stdout: expect.stringMatching(/\S/) })
  })

  it('is changed by no command, and each says so in a line', () => {
    const before = contents()
    const ref = 'github.com/shoko/kugetsu#14'
    const writing = [
      ['start', 'me/app#1', 'x'],
      ['continue', ref, 'x'],
      ['delegate', 'x'],
      ['destroy', ref, '-y', '--force'],
      ['set-pr', ref, 'https://github.com/shoko/kugetsu/pull/1'],
      ['context', ref, '--clear'],
      ['queue', 'enqueue', 'me/app#1', 'x'],
      ['queue', 'remove', 'q_1774801000'],
      ['queue', 'clear', '--all'],
      ['notify', 'clear'],
      ['env', 'set', 'A', 'b'],
      ['env', 'rm', 'GITEA_TOKEN'],
      ['server', 'add', 'x', 'https://x.test'],
      ['queue-daemon', 'start'],
      ['init', '--force'],
    ]
    for (const args of writing) {
      const finished = reading(args)
      expectClear(finished, args.join(' '))
      expect(finished.code, `${args.join(' ')}: ${finished.stdout}`).toBe(1)
    }
    expect(contents()).toEqual(before)
  })
})

it('leaves no process behind', () => expect(leftovers(home.root)).toEqual([]))

/** Takes away what was rightly accepted. */
function restore(before: Record<string, string>): void {
  for (const name of Object.keys(contents())) {
    const text = before[name]
    if (text === undefined) fs.rmSync(path.join(home.kugetsuDir, name))
    else fs.writeFileSync(path.join(home.kugetsuDir, name), text)
  }
}
