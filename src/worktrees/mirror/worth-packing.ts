/** Whether a mirror has too many files. Checked without git, so that an idle daemon starts no process. */
import * as path from 'node:path'
import { listDirectory } from '../../platform/files.ts'

/** The limits of git's own `gc --auto`. */
const mostLoose = 6_700
const mostPacks = 50
const looseDirectories = 256

/**
 * Whether the repository at `mirror` has many packs or loose objects. Loose objects are estimated from one of the
 * directories that they are spread over, as `git gc --auto` does. Throws KugetsuError when it cannot be read.
 */
export function isWorthPacking(mirror: string): boolean {
  const namesIn = (directory: string) => listDirectory(path.join(mirror, 'objects', directory))
  const loose = namesIn('17').filter((name) => /^[0-9a-f]{38,62}$/.test(name)).length * looseDirectories
  return loose > mostLoose || namesIn('pack').filter((name) => name.endsWith('.pack')).length > mostPacks
}
