import * as fs from 'node:fs'
import type { Command } from 'commander'
import { afterAll, describe, expect, it } from 'vitest'
import { isHidden } from '../../src/cli/define.ts'
import { createProgram } from '../../src/cli/program.ts'
import { createFakeContext } from '../helpers/fake-context.ts'

const context = createFakeContext()
afterAll(() => context.cleanup())
const program = createProgram(context, '0', [])

interface Leaf {
  /** `queue list`. */
  name: string
  command: Command
  help: string
}

/** Every command that does something, as help shows them. */
const leaves: Leaf[] = program.commands.filter((each) => !isHidden(each)).flatMap((each) => leavesOf(each, ''))

function leavesOf(command: Command, before: string): Leaf[] {
  const name = `${before}${command.name()}`
  if (command.commands.length > 0) return command.commands.flatMap((each) => leavesOf(each, `${name} `))
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
  return [{ name, command, help }]
}

interface Row {
  /** The commands of its first column, and that column as it is. */
  names: string[]
  usage: string
  /** All of it, and what it refers to by `as for`. */
  text: string
}

const document = fs.readFileSync(new URL('../../docs/commands.md', import.meta.url), 'utf8')
const rows: Row[] = tableAfter('| command | does |').map((line) => {
  const [usage = '', does = ''] = line.replaceAll('\\|', '¦').slice(2, -2).split(' | ')
  return {
    names: [...usage.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => namesIn(code ?? '')),
    usage,
    text: `${usage} ${does}`,
  }
})

function tableAfter(header: string): string[] {
  const lines = document.slice(document.indexOf(header)).split('\n').slice(2)
  return lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('|')),
  )
}

/** `queue list¦stats¦show <id>` is three commands; what begins with `<`, `[` or `-` is none of their names. */
function namesIn(code: string): string[] {
  const words = code.split(' ')
  const end = words.findIndex((word) => /^[<[-]/.test(word))
  return (end === -1 ? words : words.slice(0, end)).reduce<string[]>(
    (names, word) => {
      const alternatives = word.split('¦')
      // The shells of `completion bash¦zsh¦fish` are the values of its argument.
      const isValue = names.some((name) => leaves.some((leaf) => leaf.name === name.trim()))
      return isValue ? names : names.flatMap((name) => alternatives.map((each) => `${name} ${each}`.trim()))
    },
    [''],
  )
}

/** A row's text with those it refers to: "flags as for `start`". */
function textOf(name: string): string {
  const own = rows.filter(({ names }) => names.includes(name)).map(({ text }) => text)
  const others = own.flatMap((text) => [...text.matchAll(/as for `([^`]+)`/gi)].map(([, other]) => other ?? ''))
  return [
    ...own,
    ...rows.filter(({ names }) => names.some((each) => others.includes(each))).map(({ text }) => text),
  ].join(' ')
}

const common = ['--json', '--debug']
const flagsOf = (command: Command) =>
  command.options.flatMap(({ long }) => (long && !common.includes(long) ? [long] : []))
const shortOf = (command: Command, flag: string) => command.options.find(({ long }) => long === flag)?.short

describe('the table of docs/commands.md', () => {
  it('has a row for every command of help', () => {
    const known = new Set(rows.flatMap(({ names }) => names))
    const missing = leaves.map(({ name }) => name).filter((name) => !known.has(name))
    expect(missing, 'commands of kugetsu help without a row in docs/commands.md').toEqual([])
  })

  it('has no row for a command that help does not know', () => {
    const known = new Set([...leaves.map(({ name }) => name), 'help'])
    const unknown = rows.flatMap(({ names }) => names).filter((name) => !known.has(name))
    expect(unknown, 'rows in docs/commands.md whose command kugetsu help does not know').toEqual([])
    expect(rows.length).toBeGreaterThan(15)
  })

  it('names every flag of a command in one of its rows', () => {
    const missing = leaves.flatMap(({ name, command }) =>
      flagsOf(command).flatMap((flag) =>
        mentions(textOf(name), flag, shortOf(command, flag)) ? [] : [`${name} ${flag}`],
      ),
    )
    expect(missing, 'flags of kugetsu <command> --help that its row in docs/commands.md does not name').toEqual([])
  })

  it('gives no command a flag that it does not have', () => {
    const wrong = rows.flatMap(({ names, usage }) => {
      const known = leaves
        .filter(({ name }) => names.includes(name))
        .flatMap(({ command }) => [...flagsOf(command), ...common])
      return [...usage.matchAll(/--[a-z][a-z-]*/g)].flatMap(([flag]) =>
        known.includes(flag) ? [] : [`${names.join(', ')} ${flag}`],
      )
    })
    expect(wrong, 'flags in the first column of docs/commands.md that --help does not know').toEqual([])
  })
})

describe('the help of every command', () => {
  it.each(leaves)(
    '$name says what it does, with an example and exit codes, in 80 columns',
    ({ name, command, help }) => {
      expect(command.description(), `${name} has no description`).not.toBe('')
      expect(help, `${name} has no example`).toMatch(/^Examples:\n( {2}\S.*\n){1,3}\n/m)
      expect(help.slice(help.indexOf('Examples:')), `the examples of ${name} are of another command`).toContain(
        `kugetsu ${name.replace(/^queue list$/, 'queue')}`,
      )
      expect(help, `${name} does not tell its exit codes`).toMatch(/^Exit codes: 0 \S[^]*\b1 \S/m)
      for (const option of command.options)
        expect(option.description, `${name} ${option.flags} has no description`).not.toBe('')
      expect(
        help.split('\n').filter((line) => line.length > 80),
        `too wide in ${name} --help`,
      ).toEqual([])
    },
  )
})

/** A flag is named by its long or its short form. */
function mentions(text: string, flag: string, short: string | undefined): boolean {
  const isThere = (form: string) => new RegExp(`(?<![\\w-])${form}(?![\\w-])`).test(text)
  return isThere(flag) || (short !== undefined && isThere(short))
}
