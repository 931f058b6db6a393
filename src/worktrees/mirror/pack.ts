/** Keeps a mirror small: fetches and commits add a file for each pack and object, and git is told never to tidy up by itself. */
import { type GitOptions, inMirror, runGit } from '../../git/git.ts'

/**
 * Packs a mirror (when that is worth it: worth-packing.ts). Nothing is lost by it: what no ref reaches is kept as well (an
 * agent may have it in its reflog only). Agents may go on meanwhile. Throws KugetsuError when git fails.
 */
export async function packMirror(options: GitOptions & { path: string }): Promise<void> {
  // One thread and little memory: it is in no hurry, and agents are at work beside it.
  const sparing = ['-c', 'pack.threads=1', '-c', 'pack.windowMemory=100m', '-c', 'repack.writeBitmaps=false']
  await runGit([...sparing, 'repack', '-a', '-d', '-l', '-q', '--keep-unreachable'], inMirror(options))
}
