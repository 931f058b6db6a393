/**
 * Keeps a mirror small. Fetches and commits add a file for each pack and object, and git is told never to tidy up by itself.
 */
import type { GitRepository } from '../../git/repository.ts'

/**
 * Packs a mirror (worth-packing.ts says when). Nothing is lost: objects that no ref reaches are kept as well, because an
 * agent may have them in its reflog only. Agents may keep working meanwhile. Throws KugetsuError when git fails.
 */
export async function packMirror(mirror: GitRepository): Promise<void> {
  // One thread and little memory: packing is not urgent, and agents are working.
  const sparing = ['-c', 'pack.threads=1', '-c', 'pack.windowMemory=100m', '-c', 'repack.writeBitmaps=false']
  await mirror.git([...sparing, 'repack', '-a', '-d', '-l', '-q', '--keep-unreachable'])
}
