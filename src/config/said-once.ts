import * as fs from 'node:fs'
import * as path from 'node:path'
import { createExclusive, ensureDirectory } from '../platform/files.ts'
import type { Paths } from './paths.ts'

/**
 * Whether this home has never been told of something; from then on it has. Where that cannot be noted it counts as told:
 * better not said at all than at every command.
 */
export function isNews({ said }: Pick<Paths, 'said'>, name: string): boolean {
  if (!fs.existsSync(path.dirname(said))) return false // no home yet, and this is no reason to make one
  try {
    ensureDirectory(said)
    return createExclusive(path.join(said, name), '')
  } catch {
    return false
  }
}
