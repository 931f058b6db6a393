import { describe, expect, it } from 'vitest'
import { infoOf } from '../../src/opencode/agent-info.ts'

const rule = (permission: string, action: string, pattern = '*') => ({ permission, pattern, action })
const everything = rule('*', 'allow')

describe('an agent without tools', () => {
  it.each([
    ['is denied everything', [everything, rule('*', 'deny')], true],
    ['is denied both changes and commands', [everything, rule('bash', 'deny'), rule('edit', 'deny')], true],
    ['is not one that may run commands', [rule('*', 'deny'), rule('bash', 'allow')], false],
    ['is not one that may run some commands', [rule('*', 'deny'), rule('bash', 'allow', 'git *')], false],
    ['is not one that only plans', [everything, rule('edit', 'deny')], false],
    ['is none of which nothing is known', 'denied', false],
  ])('%s', (_, permission, expected) => {
    expect(infoOf({ name: 'build', permission }).isWithoutTools).toBe(expected)
  })
})
