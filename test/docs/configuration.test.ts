import * as fs from 'node:fs'
import * as path from 'node:path'
import { describe, expect, it } from 'vitest'
import { defaultConfigText, loadSettings } from '../../src/config/settings.ts'
import { linesOfTable, readDocument, sourceFiles } from '../helpers/documents.ts'

const document = readDocument('docs/configuration.md')
const code = (cell: string | undefined) => /^`(.*)`$/.exec(cell ?? '')?.[1] ?? ''
/** Name, default and what is allowed. */
const documented = linesOfTable(document, '| name | default |').map(([name, standard, allowed]) => ({
  name: code(name),
  standard: code(standard),
  allowed: allowed ?? '',
}))
/** Every setting with its default, as `init` writes them. */
const settings = [...defaultConfigText.matchAll(/^# ([A-Z_]+)=(.*)$/gm)].map(([, name = '', standard = '']) => ({
  name,
  standard,
}))

/** What a setting must be, in the words of the error about one that makes no sense. */
function allowedOf(name: string): string {
  try {
    loadSettings({ configFile: '/nowhere/config', env: { [name]: '??' }, userHome: '/nowhere' })
  } catch (error) {
    return /but must be (.*)$/.exec(String(error))?.[1] ?? ''
  }
  throw new Error(`${name} may be anything`)
}

describe('the settings of docs/configuration.md', () => {
  it('are those there are, with their defaults', () => {
    expect(documented.map(({ name, standard }) => ({ name, standard }))).toEqual(settings)
    expect(settings.length).toBeGreaterThanOrEqual(12)
  })

  it('may be what the program takes', () => {
    for (const { name, allowed } of documented) expect(allowed, name).toBe(allowedOf(name))
  })

  it('are defaults: nothing else holds without a file', () => {
    const { warnings, gone, ...values } = loadSettings({
      configFile: '/nowhere/config',
      env: Object.fromEntries(documented.map(({ name, standard }) => [name, standard])),
      userHome: '/home/me',
    })
    const unset = loadSettings({ configFile: '/nowhere/config', env: {}, userHome: '/home/me' })
    expect({ warnings, gone, ...values }).toEqual(unset)
  })
})

describe('the environment variables of docs/configuration.md', () => {
  const sources = sourceFiles('src').filter((file) => !file.includes(`${path.sep}demo${path.sep}`))
  const texts = sources.map((file) => fs.readFileSync(file, 'utf8'))
  const named = new Set(document.match(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/g))

  it('are all of those that kugetsu reads or sets for agents', () => {
    const own = texts.flatMap((text) => text.match(/\bKUGETSU_[A-Z_]+\b/g) ?? [])
    const read = texts.flatMap((text) => [...text.matchAll(/\benv\['([A-Z_]+)'\]/g)].map(([, name = '']) => name))
    // Known to everybody, or the form in which git takes configuration.
    const others = ['HOME', 'PATH', 'TERM', 'GIT_CONFIG_COUNT']
    const missing = [...new Set([...own, ...read])].filter((name) => !named.has(name) && !others.includes(name))
    expect(own.length).toBeGreaterThan(20)
    expect(missing, 'read in src and not in docs/configuration.md').toEqual([])
  })

  it('are none that there are not', () => {
    const everything = [...texts, ...sourceFiles('test').map((file) => fs.readFileSync(file, 'utf8'))].join('\n')
    const unknown = [...named].filter((name) => name.startsWith('KUGETSU_') && !everything.includes(name))
    expect(unknown).toEqual([])
  })
})
