import { describe, expect, it } from 'vitest'
import { ownTrouble } from '../../src/opencode/own-trouble.ts'

const unknown = (message: string) => ({ name: 'UnknownError', data: { message } })

describe('an error of opencode', () => {
  it.each([
    ['Failed to execute statement', 'its database failed, or another program had locked it'],
    ['effect/sql/SqlError: Failed to execute statement', 'its database failed, or another program had locked it'],
    ['SqlError/LockTimeoutError: database is locked', 'its database was locked'],
    ['SQLiteError: database is locked', 'its database was locked'],
    ['database table is locked: session', 'its database was locked'],
    ['SQLITE_BUSY_SNAPSHOT: cannot start a transaction', 'its database was locked'],
    ['SQLiteError: locking protocol', 'its database was locked'],
    ['NotFound: FileSystem.realPath (/home/me/app)', 'it did not find a file of its own'],
    ['EMFILE: too many open files, open', 'it had too many files open'],
  ])('is its own and passes: %s', (message, words) => {
    expect(ownTrouble(unknown(message))).toBe(`${words} (${message})`)
    expect(ownTrouble({ message })).toBe(`${words} (${message})`)
  })

  it.each([
    unknown('database or disk is full'),
    unknown('SqlError: Failed to execute statement: SQLITE_FULL'),
    unknown('ENOSPC: no space left on device, write'),
    unknown('TypeError: undefined is not an object'),
    unknown('Model not found: a/b'),
    unknown('NotFound: no such model'),
    { name: 'APIError', data: { message: '500: database is locked' } },
    { name: 'ProviderAuthError', data: { message: 'SQLITE_BUSY' } },
    { name: 'MessageAbortedError', data: { message: 'Failed to execute statement' } },
    {},
  ])('is none that passes: %j', (error) => {
    expect(ownTrouble(error)).toBeUndefined()
  })
})
