import { describe, expect, it } from 'vitest'
import { documentedCalls, wrongWith } from './documented.ts'

describe('the calls of kugetsu in a document', () => {
  it('are found in blocks, indented lines and code spans', () => {
    const text = [
      'Call `kugetsu list --json`, or `kugetsu wait a#1\n--timeout 5`; not `npm install -g kugetsu`.',
      '',
      "    kugetsu start a/b#1 - --queue <<'END'",
      '',
      '```bash',
      'cd x && ssh -t host kugetsu attach "a/b#1" # kugetsu nonsense',
      'kugetsu logs a#1 | grep kugetsu > file; kugetsu queue \\',
      '  list',
      'kugetsu start <issue-ref> "a (long) message & more" || echo $(kugetsu status)',
      '```',
      '```json',
      'kugetsu nothing',
      '```',
    ].join('\n')
    expect(documentedCalls(text)).toEqual([
      ['attach', 'a/b#1'],
      ['logs', 'a#1'],
      ['queue', 'list'],
      ['start', '<issue-ref>', 'a (long) message & more'],
      ['status'],
      ['start', 'a/b#1', '-', '--queue'],
      ['list', '--json'],
      ['wait', 'a#1', '--timeout', '5'],
    ])
  })

  it.each(['list --json', 'queue', 'help start', '--version', 'wait a#1 --timeout 5', 'env set A - dev'])(
    'are right: %s',
    (call) => expect(wrongWith(call.split(' '))).toBeUndefined(),
  )

  it.each([
    'lsit',
    'list --jsno',
    'queue enqueue a#1',
    'queue lsit',
    'wait a#1 --timeout soon',
    'attach a#1 b#1',
    'queue enqueue a#1 x --wait',
  ])('are wrong: %s', (call) => expect(wrongWith(call.split(' '))).toEqual(expect.any(String)))
})
