import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { withoutCaller } from '../../src/core/callers-variables.ts'

const users = {
  HOME: '/home/me',
  GIT_SSH_COMMAND: 'ssh -4',
  GIT_CONFIG_GLOBAL: '/home/me/gitconfig',
  GIT_AUTHOR_NAME: 'Me',
  GIT_AUTHOR_EMAIL: 'me@example.com',
  GIT_COMMITTER_NAME: 'Me',
  npm_config_registry: 'https://npm.example.com',
}

it('leaves what the user has set for every repository', () => {
  expect(withoutCaller(users)).toEqual(users)
})

it('takes what git and npm tell those that they call', () => {
  const { GIT_AUTHOR_NAME: _name, GIT_AUTHOR_EMAIL: _email, ...others } = users
  const caller = {
    GIT_DIR: '.git',
    GIT_COMMON_DIR: '/other/.git',
    GIT_CONFIG_PARAMETERS: "'user.name=Someone'",
    GIT_AUTHOR_DATE: '@1 +0000',
    GIT_REFLOG_ACTION: 'pull',
    npm_config_local_prefix: '/other',
    npm_lifecycle_event: 'start',
    INIT_CWD: '/other',
  }
  expect(withoutCaller({ ...users, ...caller })).toEqual(others)
})

it('knows all that git itself takes for local to a repository', () => {
  const names = execFileSync('git', ['rev-parse', '--local-env-vars'], { encoding: 'utf8' }).trim().split('\n')
  // What the user has set by them for every repository is not told apart from what a caller has.
  const kept = ['GIT_CONFIG_COUNT']
  const env = Object.fromEntries(names.map((name) => [name, 'x']))
  expect(Object.keys(withoutCaller(env))).toEqual(kept)
})
