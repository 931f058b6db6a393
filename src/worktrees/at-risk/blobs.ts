/** Git's stored content of a file, as bytes. */
import type { GitRepository } from '../../git/repository.ts'

/** The bytes of a blob. Throws KugetsuError when git fails. */
export async function contentOf(worktree: GitRepository, blob: string): Promise<Buffer> {
  return bytesFrom(worktree, ['blob', blob])
}

/** A blob as a checkout writes it to `path`: with the line ends and filters of the repository. Throws as contentOf. */
export async function checkedOut(worktree: GitRepository, blob: string, path: Buffer): Promise<Buffer> {
  return bytesFrom(worktree, ['--filters', `--path=${path.toString('utf8')}`, blob])
}

async function bytesFrom(worktree: GitRepository, args: string[]): Promise<Buffer> {
  return Buffer.from(await worktree.bytes(['cat-file', ...args]), 'latin1')
}
