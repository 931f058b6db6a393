import * as fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { documentedCalls, wrongWith } from '../helpers/documented.ts'

describe.each(['docs/running.md', 'docs/remote-access.md'])('%s', (file) => {
  const calls = documentedCalls(fs.readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))
  it.each([...new Set(calls.map((call) => call.join(' ')))].map((call) => [call]))(
    'shows what there is: kugetsu %s',
    (call) => {
      // In a sentence a command may stand without what it is called with.
      const words = call.split(' ')
      expect(wrongWith(words.length === 1 ? ['help', ...words] : words)).toBeUndefined()
    },
  )
})
