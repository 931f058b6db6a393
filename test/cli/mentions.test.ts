import { afterEach, expect, it } from 'vitest'
import { mentionedIn } from '../../src/cli/mentions.ts'
import { changeIndex } from '../../src/sessions/file/store.ts'
import { createFakeContext, type FakeContext } from '../helpers/fake-context.ts'

let context: FakeContext
afterEach(() => context.cleanup())

/** A context in which those issues have sessions, at a terminal when there are `answers` to give. */
async function withSessions(refs: string[], answers?: string[]): Promise<FakeContext> {
  context = createFakeContext(
    answers === undefined ? {} : { interactive: true, ask: async () => answers.shift() ?? 'no more answers' },
  )
  await changeIndex(context, () => ({
    base: 'ses_base',
    pm_agent: null,
    issues: Object.fromEntries(refs.map((ref, index) => [ref, `session-${index}.json`])),
  }))
  return context
}

const work = 'work/me/app#14'
const home = 'github.com/me/app#14'

it('takes whole refs and URLs as they are, and leaves alone what is none', async () => {
  const message = 'Do github.com/a/b#1, https://forge.test/c/d/issues/2 and e/f#3; not #4 or C#.'
  expect(await mentionedIn(await withSessions([]), message)).toEqual([
    { said: 'github.com/a/b#1', issue_refs: ['github.com/a/b#1'] },
    { said: 'https://forge.test/c/d/issues/2', issue_refs: ['forge.test/c/d#2'] },
    { said: 'e/f#3', issue_refs: ['github.com/e/f#3'] },
  ])
})

it('finds sessions by the end of their ref', async () => {
  expect(await mentionedIn(await withSessions([work]), 'app#14 and #14')).toEqual([
    { said: 'app#14', issue_refs: [work] },
    { said: '#14', issue_refs: [work] },
  ])
})

it('names all that fit where nobody can be asked', async () => {
  expect(await mentionedIn(await withSessions([work, home]), 'app#14?')).toEqual([
    { said: 'app#14', issue_refs: [home, work] },
  ])
})

it('asks on a terminal until it is told which, or to delegate anyway', async () => {
  expect(await mentionedIn(await withSessions([work, home], ['3', 'x', '2']), 'app#14')).toEqual([
    { said: 'app#14', issue_refs: [work] },
  ])
  expect(context.err()).toContain(`"app#14" may mean:\n  1  ${home}\n  2  ${work}\n`)
  context.cleanup()
  expect(await mentionedIn(await withSessions([work, home], ['']), 'app#14')).toEqual([
    { said: 'app#14', issue_refs: [home, work] },
  ])
})
