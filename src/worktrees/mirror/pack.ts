/**
 * Keeps a mirror small. Fetches and commits add a file for each pack and object, and git is told never to tidy up by itself.
 */
import * as path from 'node:path'
import type { GitRepository } from '../../git/repository.ts'
import { listDirectory } from '../../platform/files.ts'

/** The limits of git's own `gc --auto`. */
const mostLoose = 6_700
const mostPacks = 50
const looseDirectories = 256

/**
 * Whether the repository at `mirror` has many packs or loose objects. Loose objects are estimated from one of the
 * directories that they are spread over, as `git gc --auto` does. Starts no process, since an idle daemon asks. Throws
 * KugetsuError when it cannot be read.
 */
export function isWorthPacking(mirror: string): boolean {
  const namesIn = (directory: string) => listDirectory(path.join(mirror, 'objects', directory))
  const loose = namesIn('17').filter((name) => /^[0-9a-f]{38,62}$/.test(name)).length * looseDirectories
  return loose > mostLoose || namesIn('pack').filter((name) => name.endsWith('.pack')).length > mostPacks
}

/**
 * Packs a mirror. Nothing is lost: objects that no ref reaches are kept as well, because an agent may have them in its
 * reflog only. Agents may keep working meanwhile. Throws KugetsuError when git fails.
 */
export async function packMirror(mirror: GitRepository): Promise<void> {
  // One thread and little memory: packing is not urgent, and agents are working.
  const sparing = ['-c', 'pack.threads=1', '-c', 'pack.windowMemory=100m', '-c', 'repack.writeBitmaps=false']
  await mirror.git([...sparing, 'repack', '-a', '-d', '-l', '-q', '--keep-unreachable'])
}
