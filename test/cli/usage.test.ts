import { CommanderError } from 'commander'
import { afterAll, describe, expect, it } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { usageError, withoutHelp } from '../../src/cli/usage.ts'
import { createFakeContext } from '../helpers/fake-context.ts'

const context = createFakeContext()
afterAll(() => context.cleanup())

/** What is said of a command line that is wrong. */
async function saidOf(...argv: string[]): Promise<string> {
  const program = createProgram(context, '0', argv)
  const all = [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]
  for (const command of all) command.exitOverride().configureOutput({ outputError: () => {} })
  const error = await program.parseAsync(argv, { from: 'user' }).catch((thrown: unknown) => thrown)
  if (!(error instanceof CommanderError)) throw new Error(`not refused: ${argv.join(' ')}`)
  const { message, hint } = usageError(error, program, argv)
  return `${message} | ${hint}`
}

describe('a command line that is wrong', () => {
  it('gets the command, subcommand or flag that was meant', async () => {
    expect(await saidOf('strat', 'x')).toBe(`unknown command 'strat' | Did you mean "kugetsu start"?`)
    expect(await saidOf('server', 'lsit')).toBe(`unknown command 'lsit' | Did you mean "kugetsu server list"?`)
    expect(await saidOf('queue', 'lsit')).toBe(`unknown command 'lsit' | Did you mean "kugetsu queue list"?`)
    expect(await saidOf('list', '--jsno')).toBe("unknown option '--jsno' | Did you mean --json?")
  })

  it.each([
    ['cancel', 'stop'],
    ['new', 'start'],
    ['daemon', 'queue-daemon'],
    ['tail', 'logs -f'],
    ['remove', 'destroy'],
    ['sotp', 'stop'],
    ['stat', 'status'],
    ['pr', 'open --web'],
    ['diff', 'path'],
    ['expl', 'explain'],
  ])('is understood by its meaning: %s', async (word, meant) => {
    expect(await saidOf(word)).toBe(`unknown command '${word}' | Did you mean "kugetsu ${meant}"?`)
  })

  it.each([['destory'], ['prun'], ['queue', 'remvoe'], ['queue', 'claer'], ['constructor'], ['xyzzy'], ['__proto__']])(
    'is not led by a slip of the keys to what removes, nor by a word that is far off: %s %s',
    async (...words) => {
      expect(await saidOf(...words)).not.toMatch(/Did you mean/)
    },
  )

  it.each([
    ['status app#1', 'explain app#1'],
    ['status 14', 'explain 14'],
    ['list done', 'list --status done'],
    ['list me/app#-docs', 'explain me/app#-docs'],
  ])('with an argument too many is told what shows that: %s', async (line, meant) => {
    expect(await saidOf(...line.split(' '))).toMatch(
      new RegExp(`^too many arguments .* \\| Did you mean "kugetsu ${meant}"\\?$`),
    )
  })

  it('is told the usage of the command that was called', async () => {
    expect(await saidOf('start')).toBe(
      `missing required argument 'issue-ref' | Usage: kugetsu start <issue-ref> [message] [pr-url]; see "kugetsu start --help". Quote a ref that begins with #, or leave the # out: 14.`,
    )
    expect(await saidOf('queue', 'show')).toMatch(
      /'issue-ref\|id' \| Usage: kugetsu queue show <issue-ref\|id>; see "kugetsu queue show --help"/,
    )
    expect(await saidOf('attach', 'a', 'b')).toMatch(
      /too many arguments for 'attach'.* \| Usage: kugetsu attach <issue-ref>;/,
    )
    expect(await saidOf('queue', 'list', 'x')).toMatch(/too many arguments for 'list'.* \| Usage: kugetsu queue list;/)
    expect(await saidOf('--nope')).toBe(`unknown option '--nope' | See "kugetsu help".`)
    expect(await saidOf('start', 'me/app#1', '- mend the bullets')).toMatch(
      /unknown option '- mend the bullets' \| Usage: .* Put -- in front of a text that begins with -\.$/,
    )
    expect(await saidOf('completion', 'tcsh')).toMatch(/no completion for tcsh: bash, zsh or fish/)
  })
})

it.each([
  ['help', 'help'],
  ['help start', 'start --help'],
  ['help queue', 'queue --help'],
  ['help queue show', 'queue show --help'],
  ['help start me/app#1', 'start --help'],
  ['help strat', 'strat'],
  ['help queue lsit', 'queue lsit'],
  ['help --json', 'help --json'],
  ['list --all', 'list --all'],
])('%s stands for %s', (given, meant) => {
  const argv = given.split(' ')
  expect(withoutHelp(createProgram(context, '0', argv), argv)).toEqual(meant.split(' '))
})

describe('what is made of the command line', () => {
  const made = (...argv: string[]) => createProgram(context, '0', argv).commands.map((each) => each.name())
  const inGroup = (...argv: string[]) => {
    const group = createProgram(context, '0', argv).commands.find((each) => each.name() === 'queue')
    return group?.commands.map((each) => each.name())
  }

  it('is the command that is called, or none for the version, and all where that is none', () => {
    expect(made('list')).toEqual(['list'])
    expect(made('--version')).toEqual([])
    expect(made('help').length).toBeGreaterThan(20)
    expect(made('lsit')).toEqual(made('help'))
  })

  it('is the one of its group, and all where there is none, as for help, suggestions and completion', () => {
    expect(inGroup('queue', 'enqueue', 'me/app#1', 'x')).toEqual(['enqueue'])
    const all = inGroup('queue')
    expect(all).toEqual(expect.arrayContaining(['list', 'enqueue', 'clear']))
    const lists = [
      ['queue', '--help'],
      ['queue', 'lsit'],
      ['queue', 'toString'],
      ['help', 'queue', 'list'],
    ]
    for (const argv of [...lists, ['__complete', '--', 'queue', '']])
      expect(inGroup(...argv), argv.join(' ')).toEqual(all)
  })
})
