/** The page of help that the build has made: it is what commander says, to the letter, however wide and however asked for. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { helpFile, helpOf, keptWidths } from '../../src/cli/help-page.ts'
import { createProgram } from '../../src/cli/program.ts'
import { createFakeContext } from '../helpers/fake-context.ts'
import { createHome, type Home } from '../helpers/home.ts'
import { programPath, runOk } from '../helpers/kugetsu.ts'
import { hasTerminals, inTerminal } from '../helpers/terminal.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
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

  it.skipIf(!programPath.endsWith('.js'))('was made by the build for the usual widths', () => {
    for (const width of keptWidths) {
      expect(fs.readFileSync(path.join(root, 'dist', helpFile(width)), 'utf8')).toBe(said(width))
    }
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

describe.skipIf(!programPath.endsWith('.js'))('a kugetsu whose build has kept no page, or another one', () => {
  let copy: string
  const options = () => ({ command: [process.execPath, path.join(copy, 'bin', 'kugetsu.js')] as const })
  beforeAll(() => {
    copy = path.join(home.root, 'copy')
    for (const name of ['bin', 'dist', 'package.json']) {
      fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true })
    }
  })

  it('prints that other one, and so what is compared above is what the build has kept', async () => {
    fs.writeFileSync(path.join(copy, 'dist', helpFile(80)), 'another page\n')
    for (const args of spellings) expect((await runOk(home, args, options())).stdout).toBe('another page\n')
  })

  it('has commander make it', async () => {
    for (const width of keptWidths) fs.rmSync(path.join(copy, 'dist', helpFile(width)))
    for (const args of spellings) expect((await runOk(home, args, options())).stdout).toBe(said(80))
  })
})
