import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { credentialVariables, helperCommand, withoutHelper } from '../../src/core/credential-helper.ts'

const helper = helperCommand('/home/it\'s "me"/.kugetsu $x', ['/usr/bin/node', '/opt/a b/kugetsu.js', ''])
const users = {
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'user.name',
  GIT_CONFIG_VALUE_0: 'Mika',
}

/** What git itself makes of an environment. */
function git(env: NodeJS.ProcessEnv, ...args: string[]): string {
  const clean = {
    PATH: process.env['PATH'],
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
  }
  return execFileSync('git', args, { env: { ...clean, ...env }, cwd: '/', encoding: 'utf8', timeout: 60_000 })
}

describe('the helper in the environment', () => {
  it("comes after the user's own configuration, and git reads it", () => {
    const env = { ...users, ...credentialVariables(users, helper, 'dev') }
    expect(git(env, 'config', 'user.name')).toBe('Mika\n')
    expect(git(env, 'config', '--get-all', 'credential.helper')).toBe(`${helper} dev\n`)
  })

  it('is there once, whatever agent called kugetsu', () => {
    const agents = { ...users, ...credentialVariables(users, helper, 'pm-agent') }
    const env = { ...agents, ...credentialVariables(agents, helper, 'dev') }
    expect(git(env, 'config', '--get-all', 'credential.helper')).toBe(`${helper} dev\n`)
    expect(env['GIT_CONFIG_COUNT']).toBe('2')
  })

  it('can be taken away again', () => {
    const env = { ...users, ...credentialVariables(users, helper, 'dev') }
    expect(git({ ...env, ...withoutHelper(env) }, 'config', '--list')).toBe('user.name=Mika\n')
  })

  it('does not touch a count that git would refuse', () => {
    expect(credentialVariables({ GIT_CONFIG_COUNT: 'many' }, helper, 'dev')).toEqual({})
  })

  it('is a command that a shell reads as it is meant', () => {
    const self = ['sh', '-c', 'printf "%s|" "$KUGETSU_DIR" "$@"', 'sh', "it's a $path"] as const
    const command = helperCommand('/home/"me"/.kugetsu `x`', self)
    expect(command.startsWith('!')).toBe(true)
    const output = execFileSync('sh', ['-c', `${command.slice(1)} dev "$@"`, 'sh', 'get'], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(output).toBe('/home/"me"/.kugetsu `x`|it\'s a $path|credential|dev|get|')
  })
})
