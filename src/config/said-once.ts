import * as fs from 'node:fs'
import * as path from 'node:path'
import { createExclusive, ensureDirectory } from '../platform/files.ts'
import type { Paths } from './paths.ts'

/**
 * Whether something is said for the first time in this home; from then on it counts as said. It also counts as said
 * when no note of it can be made: better never said than said at every command.
 */
export function isNews({ said }: Pick<Paths, 'said'>, name: string): boolean {
  if (!fs.existsSync(path.dirname(said))) return false // no home yet, and no reason to make one
  try {
    ensureDirectory(said)
    return createExclusive(path.join(said, name), '')
  } catch {
    return false
  }
}
