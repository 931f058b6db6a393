/** Distinguishes errors of opencode itself, which pass, from errors of a model or its provider. Pure. */
import type * as z from 'zod/mini'
import { failureText, type failure } from './api/schemas.ts'

/**
 * The wording of opencode 1.2 to 1.18 and of SQLite. opencode waits 5 s for a lock of its database and then gives the run
 * up, often without the reason. Newer versions put the layer in front (`effect/sql/SqlError: …`). A full disk does not
 * pass, so it has no words here.
 */
const troubles: readonly (readonly [RegExp, string])[] = [
  [/database or disk is full|SQLITE_FULL|ENOSPC/i, ''],
  [
    /database( table)? is locked|locking protocol|SQLITE_(BUSY|LOCKED|PROTOCOL)|LockTimeoutError/i,
    'its database was locked',
  ],
  [/Failed to execute statement|\bSqlError\b|SQLITE_IOERR/, 'its database failed, or another program had locked it'],
  [/\bNotFound: FileSystem\.|\bPlatformError\b.*\bNotFound\b/, 'it did not find a file of its own'],
  [/\b(EMFILE|ENFILE)\b/, 'it had too many files open'],
]

/** The failure of opencode itself, in words that can follow "opencode failed:"; undefined for any other error. */
export function ownTrouble(error: z.infer<typeof failure>): string | undefined {
  // A provider's error has a name of its own, and its text may say anything.
  if (error.name !== undefined && error.name !== 'UnknownError' && !/Sql|Platform/.test(error.name)) return undefined
  const text = failureText(error)
  const words = troubles.find(([pattern]) => pattern.test(`${error.name ?? ''} ${text}`))?.[1]
  return words ? `${words} (${text})` : undefined
}
