/** Which opencode the tests run; opencode-2.ts installs opencode 2. */
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { opencode2Program } from './opencode-2.ts'

/** The program of opencode 1: KUGETSU_OPENCODE_1, else the one that `npm ci` installs. */
export const opencode1Program = path.resolve(
  process.env['KUGETSU_OPENCODE_1'] ?? fileURLToPath(new URL('../../node_modules/.bin/opencode', import.meta.url)),
)

/** The program of a test that asks for none: KUGETSU_OPENCODE, else opencode 2, and opencode 1 where there is no opencode 2. */
export function usualProgram(): string {
  const given = process.env['KUGETSU_OPENCODE']
  if (given) return path.resolve(given)
  const found = opencode2Program()
  return 'program' in found ? found.program : opencode1Program
}
