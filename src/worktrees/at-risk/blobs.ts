/** What git has stored for a file, as bytes. */
import { type GitCall, runGitForBytes } from '../../git/git.ts'

/** The bytes of a blob. Throws KugetsuError when git fails. */
export async function contentOf(call: GitCall, blob: string): Promise<Buffer> {
  return bytesFrom(call, ['blob', blob])
}

/** A blob as a checkout writes it to `path`: with the line ends and filters of the repository. Throws as contentOf. */
export async function checkedOut(call: GitCall, blob: string, path: Buffer): Promise<Buffer> {
  return bytesFrom(call, ['--filters', `--path=${path.toString('utf8')}`, blob])
}

async function bytesFrom(call: GitCall, args: string[]): Promise<Buffer> {
  return Buffer.from(await runGitForBytes(['cat-file', ...args], call), 'latin1')
}
