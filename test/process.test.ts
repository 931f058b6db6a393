import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { createContext, createInterruption, requireHome } from '../src/process.ts'

afterEach(() => vi.unstubAllEnvs())

const contextWith = (home: string | undefined) => {
  vi.stubEnv('KUGETSU_DIR', undefined)
  vi.stubEnv('HOME', home)
  return createContext(createInterruption(), { inBackground: true, exit: process.exit })
}
const codeWith = (env: NodeJS.ProcessEnv) => {
  try {
    requireHome(env)
    return 'good'
  } catch (error) {
    return (error as { code: string }).code
  }
}

it.each([undefined, ''])(
  'takes a HOME of %j for none: the home is that of the system, and so for all that is called',
  (home) => {
    const context = contextWith(home)
    expect(context.userHome).toBe(os.userInfo().homedir)
    expect(context.paths.home).toBe(path.join(os.userInfo().homedir, '.kugetsu'))
    expect(context.env['HOME']).toBe(os.userInfo().homedir)
    expect(codeWith(context.env)).toBe('good')
  },
)

it('refuses a KUGETSU_DIR that is relative, and takes an empty one for none', () => {
  const codes = ['home', './k', ''].map((given) => codeWith({ HOME: '/home/me', KUGETSU_DIR: given }))
  expect(codes).toEqual(['bad_home', 'bad_home', 'good'])
})

it('refuses one that is relative, and none at all where nothing else tells where the files go', () => {
  expect(contextWith('home/me').paths.home).toMatch(/^\//)
  expect([codeWith({ HOME: 'home/me' }), codeWith({ HOME: '.', KUGETSU_DIR: '/k' })]).toEqual(['bad_home', 'bad_home'])
  expect([codeWith({}), codeWith({ KUGETSU_DIR: '/k' }), codeWith({ HOME: '/' })]).toEqual(['bad_home', 'good', 'good'])
})
