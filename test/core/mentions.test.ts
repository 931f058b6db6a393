import { expect, test } from 'vitest'
import { mentionsIn } from '../../src/core/mentions.ts'

test.each([
  ['fix github.com/me/app#14 please', ['github.com/me/app#14']],
  ['fix me/app#14, then me/app#15.', ['me/app#14', 'me/app#15']],
  ['(me/app#14) "app#15" `#16`', ['me/app#14', 'app#15', '#16']],
  ['see https://github.com/me/app/issues/14.', ['https://github.com/me/app/issues/14']],
  ['(https://github.com/me/app/pull/3#discussion_r1)', ['https://github.com/me/app/pull/3#discussion_r1']],
  ['<https://gitlab.com/a/b/c/-/merge_requests/7>', ['https://gitlab.com/a/b/c/-/merge_requests/7']],
  ['[it](https://forge.test:3000/me/app/issues/14)', ['https://forge.test:3000/me/app/issues/14']],
  ['talk on forge.test:3000/me/app#-login-bug!', ['forge.test:3000/me/app#-login-bug']],
  ['#14 and again #14', ['#14']],
  ['both #14/#15', ['#14']],
  ['C# 5, a#b, x##3, me@you#4, colour #14ff00', []],
  ['nothing here', []],
  ['', []],
])('%j mentions %j', (message, found) => expect(mentionsIn(message)).toEqual(found))

test('a message of nothing but marks takes no time', () => {
  expect(mentionsIn('/'.repeat(200_000))).toEqual([])
  expect(mentionsIn('#-'.repeat(100_000))).toEqual([])
  expect(mentionsIn('a/b#1 '.repeat(40_000))).toEqual(['a/b#1'])
  expect(mentionsIn(Array.from({ length: 999 }, (_, index) => `#${index}`).join(' '))).toHaveLength(50)
})
