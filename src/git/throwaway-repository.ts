/** A throwaway git directory in which files are nothing but bytes, for taking them in and putting them back. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { ensureDirectory } from '../platform/files.ts'
import { type GitCall, type GitOptions, runGit } from './git.ts'
import { removeTree, sweepTemporary, temporarySibling } from './temporary.ts'

/**
 * Runs `work` with an empty repository beside `place`, and removes it. Attributes are switched off in it, which only
 * `info/attributes` of a git directory can do, and that is shared by all worktrees of a mirror: hence one of our own.
 * Without them no filter runs, and no line end changes.
 */
export async function withPlainRepository<T>(
  options: GitOptions & { beside: string; sha256: boolean; failure: NonNullable<GitCall['failure']> },
  work: (directory: string) => Promise<T>,
): Promise<T> {
  // Under a name of its own: it is made without the lock that other temporary directories are made and swept under.
  const place = `${options.beside}.plain`
  const directory = temporarySibling(place)
  const { env, timeoutMs, signal, failure } = options
  try {
    await sweepTemporary(place, 'ofTheDead')
    ensureDirectory(directory)
    const format = options.sha256 ? ['--object-format=sha256'] : []
    const call = { env, timeoutMs, signal, failure, cwd: directory, variables: {} }
    await runGit(['init', '--bare', '--quiet', '--template=', ...format, directory], call)
    fs.mkdirSync(path.join(directory, 'info'), { recursive: true })
    const off = '* -text -eol -crlf -filter -ident -working-tree-encoding\n'
    fs.writeFileSync(path.join(directory, 'info', 'attributes'), off)
    // Names that only another system takes for .git, such as "git~1".
    fs.appendFileSync(path.join(directory, 'config'), '[core]\n\tprotectNTFS = false\n\tprotectHFS = false\n')
    return await work(directory)
  } finally {
    await removeTree(directory)
  }
}
