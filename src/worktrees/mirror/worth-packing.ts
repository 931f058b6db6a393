/** Whether a mirror has become many files: seen without git, so that a daemon with nothing to do has no need of it. */
import * as path from 'node:path'
import { listDirectory } from '../../platform/files.ts'

/** As git's own `gc --auto`. */
const mostLoose = 6_700
const mostPacks = 50
const looseDirectories = 256

/**
 * Whether the repository at `mirror` has many packs or loose objects. These are estimated by one of the directories that
 * they are spread over, as `git gc --auto` does. Throws KugetsuError when it cannot be read.
 */
export function isWorthPacking(mirror: string): boolean {
  const namesIn = (directory: string) => listDirectory(path.join(mirror, 'objects', directory))
  const loose = namesIn('17').filter((name) => /^[0-9a-f]{38,62}$/.test(name)).length * looseDirectories
  return loose > mostLoose || namesIn('pack').filter((name) => name.endsWith('.pack')).length > mostPacks
}
