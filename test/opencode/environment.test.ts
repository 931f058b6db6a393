import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { serverEnvironment } from '../../src/opencode/environment.ts'
import { createServiceHome } from '../helpers/service-home.ts'

const home = createServiceHome()
afterAll(() => home.cleanup())

it('has none of the variables by which git, npm or a shell tell where the command that starts the server was called', () => {
  const users = { GIT_SSH_COMMAND: 'ssh -4', GIT_AUTHOR_NAME: 'Me', npm_config_registry: 'https://npm.example.com' }
  const callers = {
    GIT_COMMON_DIR: '/other/.git',
    GIT_INDEX_VERSION: '4',
    GIT_NAMESPACE: 'x',
    GIT_REFLOG_ACTION: 'pull',
    GIT_AUTHOR_DATE: '@1 +0000',
    npm_config_local_prefix: '/other',
    npm_lifecycle_event: 'start',
    PWD: '/other',
  }
  const own = {
    password: 'secret',
    marker: 'mark',
    agents: {},
    models: { mark: '', served: undefined, logins: undefined },
  }
  const env = serverEnvironment({ ...home, env: { ...home.env, ...users, ...callers } }, own)
  expect(env).toMatchObject(users)
  expect(Object.keys(env).filter((name) => name in callers)).toEqual([])
  const byGit = serverEnvironment({ ...home, env: { ...users, GIT_CONFIG_PARAMETERS: "'user.name=Someone'" } }, own)
  expect([byGit['GIT_CONFIG_PARAMETERS'], byGit['GIT_AUTHOR_NAME']]).toEqual([undefined, undefined])
})

it('names the plugin by a URL that leads to it, whatever signs the path of the home has', () => {
  const plugin = '/home/me/a%20b #c?d/é/environment.js'
  const own = { password: '', marker: '', agents: {}, models: { mark: '', served: undefined, logins: undefined } }
  const env = serverEnvironment({ ...home, paths: { ...home.paths, plugin } }, own)
  const { plugin: named } = JSON.parse(env['OPENCODE_CONFIG_CONTENT'] ?? '') as { plugin: string[] }
  expect(named.map((url) => fileURLToPath(url))).toEqual([plugin])
})
