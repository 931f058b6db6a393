/** The page of help is the same however it is asked for, and as wide as the terminal up to a limit. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { firstPage, helpOf } from '../../src/cli/help.ts'
import { createProgram } from '../../src/cli/program.ts'
import { createFakeContext } from '../helpers/fake-context.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { runOk } from '../helpers/kugetsu.ts'
import { hasTerminals, inTerminal } from '../helpers/terminal.ts'

const context = createFakeContext()
let home: Home
beforeAll(() => {
  home = createHome()
})
afterAll(() => {
  context.cleanup()
  return home.cleanup()
})

/** As commander says it, from the definitions. */
const said = (columns: number) => helpOf(createProgram(context, '0', [], columns))
const spellings = [
  ['help', '--all'],
  ['--help', '--all'],
  ['--all', '-h'],
]

describe('the first page of help', () => {
  it.each([[], ['help'], ['--help'], ['-h']])('is one screen: kugetsu %s', async (...args) => {
    const { stdout, stderr } = await runOk(home, args.filter(Boolean))
    expect([stdout, stderr]).toEqual([firstPage([]), ''])
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).toBe('kugetsu - OpenCode Session Manager')
    expect(lines.length).toBeLessThanOrEqual(24)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('calls commands that there are', () => {
    const called = [...(firstPage([]) ?? '').matchAll(/kugetsu ([a-z][a-z-]*)/g)].map(([, name]) => name)
    const names = createProgram(context, '0', []).commands.map((each) => each.name())
    expect(called.length).toBeGreaterThan(6)
    expect([...names, 'help']).toEqual(expect.arrayContaining(called))
  })

  it('and the help of a command say first what is done', async () => {
    for (const args of [
      ['help', 'stop'],
      ['stop', '--help'],
      ['help', 'kill'],
      ['kill', '-h'],
    ]) {
      expect((await runOk(home, args)).stdout, args.join(' ')).toMatch(
        /^Stop agents and the commands they run[^]*\n\nUsage: kugetsu stop [^]*\nAlso called: kill\n/,
      )
    }
    expect((await runOk(home, ['help', 'queue'])).stdout).toMatch(/^Manage the tasks .*\n\nUsage: kugetsu queue /)
  })

  it('is not needed for the version, however it is asked for', async () => {
    for (const flag of ['-v', '-V', '--version'])
      expect((await runOk(home, [flag])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('does not keep other names from working', async () => {
    for (const alias of ['ls', 'ps']) expect((await runOk(home, [alias, '--json'])).stdout).toBe('[]\n')
    expect((await runOk(home, ['help', 'resume'])).stdout).toMatch(/Usage: kugetsu continue/)
  })
})

describe('the page with every command', () => {
  it('breaks what it says of commands in a narrow terminal too', () => {
    const [commands = ''] = said(60).split('\nIssue refs:')
    expect(commands.split('\n').filter((line) => line.length > 60)).toEqual([])
  })

  it('differs by width, so that to compare pages means something', () => {
    expect(new Set([60, 80, 99, 100].map(said)).size).toBe(4)
    expect(said(300)).toBe(said(100))
  })

  it.each(spellings)('in a pipe, as for 80 columns: kugetsu %s', async (...args) => {
    expect(await runOk(home, args.filter(Boolean))).toMatchObject({ stdout: said(80), stderr: '' })
  })

  it.skipIf(!hasTerminals).each([60, 80, 99, 100, 300])('in a terminal of %d columns', async (columns) => {
    const { code, shown } = await inTerminal(home, ['--help', '--all'], [], columns)
    expect({ code, shown: shown.replaceAll('\r\n', '\n') }).toEqual({ code: 0, shown: said(columns) })
  })

  it('is not taken for the answer to more than that', async () => {
    expect((await runOk(home, ['help', 'start'])).stdout).not.toBe(said(80))
    expect((await runOk(home, ['list', '--help'])).stdout).not.toBe(said(80))
  })
})
