/** Keeps a mirror small: fetches and commits add a file for each pack and object, and git is told never to tidy up by itself. */
import { type GitOptions, inMirror, runGit } from './git.ts'

/** As git's own `gc --auto`. */
const mostLoose = 6_700
const mostPacks = 50

/**
 * Packs a mirror when it has many loose objects or packs; whether it did. Nothing is lost by it: what no ref reaches is
 * kept as well (an agent may have it in its reflog only). Agents may go on meanwhile. Throws KugetsuError when git fails.
 */
export async function packMirror(options: GitOptions & { path: string }): Promise<boolean> {
  const call = inMirror(options)
  const said = await runGit(['count-objects', '-v'], call)
  const count = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(said)?.[1] ?? 0)
  if (count('count') <= mostLoose && count('packs') <= mostPacks) return false
  // One thread and little memory: it is in no hurry, and agents are at work beside it.
  const sparing = ['-c', 'pack.threads=1', '-c', 'pack.windowMemory=100m', '-c', 'repack.writeBitmaps=false']
  await runGit([...sparing, 'repack', '-a', '-d', '-l', '-q', '--keep-unreachable'], call)
  return true
}
