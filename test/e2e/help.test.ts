/** The page of help is the same however it is asked for, and as wide as the terminal up to a limit. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createProgram, helpOf } from '../../src/cli/program.ts'
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
const spellings = [[], ['help'], ['--help'], ['-h']]

describe('the page of help', () => {
  it('differs by width, so that to compare pages means something', () => {
    expect(new Set([60, 80, 99, 100].map(said)).size).toBe(4)
    expect(said(300)).toBe(said(100))
  })

  it.each(spellings)('in a pipe, as for 80 columns: kugetsu %s', async (...args) => {
    expect(await runOk(home, args.filter(Boolean))).toMatchObject({ stdout: said(80), stderr: '' })
  })

  it.skipIf(!hasTerminals).each([60, 80, 99, 100, 300])('in a terminal of %d columns', async (columns) => {
    const { code, shown } = await inTerminal(home, ['--help'], [], columns)
    expect({ code, shown: shown.replaceAll('\r\n', '\n') }).toEqual({ code: 0, shown: said(columns) })
  })

  it('is not taken for the answer to more than that', async () => {
    expect((await runOk(home, ['help', 'start'])).stdout).not.toBe(said(80))
    expect((await runOk(home, ['list', '--help'])).stdout).not.toBe(said(80))
  })
})
