import * as fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { exitCodes } from '../../src/core/errors.ts'
import { linesOfTable, readDocument, sourceFiles } from '../helpers/documents.ts'

const document = readDocument('docs/exit-codes.md')

describe('docs/exit-codes.md', () => {
  it('has the exit codes there are', () => {
    const rows = linesOfTable(document, '| exit code |').map(([code, name]) => [
      name?.replaceAll('`', ''),
      Number(code),
    ])
    expect(rows).toEqual(Object.entries(exitCodes))
  })

  it('agrees with the table of docs/commands.md', () => {
    const rows = linesOfTable(readDocument('docs/commands.md'), '| exit code |').map(([code]) => Number(code))
    expect(rows).toEqual(Object.values(exitCodes))
  })

  it('has every word that an error can have as its code, and no other', () => {
    // Behind `code:`, also one of two; and what failures of git become.
    const inSources = sourceFiles('src').flatMap((file) =>
      [...fs.readFileSync(file, 'utf8').matchAll(/\bcodes?(?:: |\b.*= \{ )(.*)|details\.code (.*)/g)].flatMap(
        ([, rest = '', fallback = '']) => [...`${rest} ${fallback}`.matchAll(/'([a-z_]+)'/g)].map(([, word]) => word),
      ),
    )
    const words = linesOfTable(document, '| code | when |').flatMap(([cell = '']) =>
      [...cell.matchAll(/`([a-z_]+)`/g)].map(([, word]) => word),
    )
    expect(words.length).toBeGreaterThan(60)
    expect(words.toSorted()).toEqual([...new Set(inSources)].sort())
  })
})
