import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { missingIn } from '../../src/opencode2/api/needed.ts'
import { knownSessions } from '../../src/driver/known-sessions.ts'
import { opencode2 } from '../../src/opencode2/driver.ts'
import { asRules } from '../../src/opencode2/rules.ts'
import { createServiceHome } from '../helpers/service-home.ts'

const home = createServiceHome()
afterAll(() => home.cleanup())

it('names the operations that a server lacks', () => {
  const missing = missingIn({ '/api/plugin': { get: {} }, '/api/session': { get: {} } })
  expect(missing).toContain('POST /api/session')
  expect(missing).not.toContain('GET /api/session')
  expect(missing).not.toContain('GET /api/plugin')
})

it('names tools and rules as opencode 2 does', () => {
  expect(
    asRules([
      { permission: 'bash', pattern: 'git *', action: 'allow' },
      { permission: 'task', pattern: '*', action: 'deny' },
      { permission: 'edit', pattern: '*.ts', action: 'ask' },
    ]),
  ).toEqual([
    { action: 'shell', resource: 'git *', effect: 'allow' },
    { action: 'subagent', resource: '*', effect: 'deny' },
    { action: 'edit', resource: '*.ts', effect: 'ask' },
  ])
})

it('knows nothing of sessions before a server has made its database', () => {
  expect(opencode2.lookAtStore(home)).toBeUndefined()
  expect(knownSessions(opencode2, home, ['ses_1'])).toBeUndefined()
  expect(() => opencode2.storeRules(home, [])).toThrow(expect.objectContaining({ code: 'no_opencode_database' }))
  expect(opencode2.lookAtOutputs(home)).toBeUndefined()
})

it('suggests what the configuration names, in the form of either version', () => {
  const directory = path.join(home.userHome, '.config/opencode')
  fs.mkdirSync(path.join(directory, 'agents'), { recursive: true })
  fs.writeFileSync(path.join(directory, 'agents', 'writer.md'), '')
  fs.writeFileSync(
    path.join(directory, 'opencode.jsonc'),
    `{ "provider": { "old": { "models": { "a": {} } } }, // a comment
       "providers": { "new": { "models": { "b/c": {} } } }, "agents": { "mine": {}, "helper": { "mode": "subagent" } } }`,
  )
  expect(opencode2.suggest(home, 'models')).toEqual(['new/b/c', 'old/a'])
  expect(opencode2.suggest(home, 'agents')).toEqual(['build', 'mine', 'plan', 'writer'])
})
