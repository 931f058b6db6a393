import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { issueRef } from '../../src/cli/refs.ts'
import { formatRef } from '../../src/core/issue-ref.ts'
import { createFakeContext, type FakeContext } from '../helpers/fake-context.ts'

let context: FakeContext
beforeEach(() => {
  context = createFakeContext()
})
afterEach(() => context.cleanup())

const tracked = ['work/me/app#77']
/** What a ref means in a directory of that name, with that remote `origin` where it is a clone. */
async function meant(text: string, place: { origin?: string; git?: string } = {}, begins = false): Promise<string> {
  const cwd = fs.mkdtempSync(path.join(context.userHome, 'here-'))
  if (place.origin !== undefined) execFileSync('git', ['init', '--quiet', cwd])
  if (place.origin) execFileSync('git', ['-C', cwd, 'remote', 'add', 'origin', place.origin])
  if (place.git !== undefined) fs.writeFileSync(path.join(cwd, '.git'), place.git)
  return issueRef({ ...context, cwd }, text, { tracked, begins }).then(
    formatRef,
    (error: { code: string }) => error.code,
  )
}

it.each(['#77', '77'])('%s in a clone is that of its repository', async (text) => {
  expect(await meant(text, { origin: 'https://github.com/me/tool.git' })).toBe('github.com/me/tool#77')
})

it('and an error where that cannot be told, whatever has a session', async () => {
  expect(await meant('#77', { origin: '/home/me/app' })).toBe('bad_ref')
  expect(await meant('77', { origin: '' })).toBe('bad_ref')
  expect(await meant('#77', { git: 'gitdir: /nowhere' })).toBe('bad_ref')
})

it('elsewhere it is the one that has a session, unless something begins there', async () => {
  expect([await meant('#77'), await meant('77')]).toEqual(['work/me/app#77', 'work/me/app#77'])
  expect([await meant('#77', {}, true), await meant('77', {}, true)]).toEqual(['bad_ref', 'bad_ref'])
})

it('with a name before it it is looked for everywhere', async () => {
  expect(await meant('app#77', { origin: '/home/me/app' }, true)).toBe('work/me/app#77')
})
