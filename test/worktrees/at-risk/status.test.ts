import { expect, it } from 'vitest'
import { byteName } from '../../../src/platform/byte-names.ts'
import { parseStatus } from '../../../src/worktrees/at-risk/status.ts'

const hashes = `${'a'.repeat(40)} ${'b'.repeat(40)}`

it('reads every kind of record, whatever the names are', () => {
  const records = [
    `1 .M N... 100644 100644 100644 ${hashes} with two  spaces`,
    `1 D. N... 100644 000000 000000 ${hashes} line\nbreak`,
    `2 R. N... 100644 100644 100644 ${hashes} R100 new name`,
    '? old name that looks untracked',
    `u UU N... 100644 100644 100644 100644 ${hashes} ${'c'.repeat(40)} both "changed"`,
    `1 .M S.MU 160000 160000 160000 ${hashes} module`,
    '? dir/',
    '! node_modules/',
    '? caf\xe9',
    '! \xf0\x9f\xa6\x8a/',
  ]
  expect(parseStatus(records.map((record) => `${record}\0`).join(''))).toEqual({
    uncommitted: ['with two  spaces', 'line\nbreak', 'new name', 'both "changed"', 'module'],
    untracked: ['dir/', byteName(Buffer.from([0x63, 0x61, 0x66, 0xe9]))],
    ignored: ['node_modules/', byteName('🦊/')],
    submodules: ['module'],
  })
})

it('reads nothing from nothing', () => {
  expect(parseStatus('')).toEqual({ uncommitted: [], untracked: [], ignored: [], submodules: [] })
})
