/** A throwaway git directory that treats files as plain bytes, for storing them and putting them back. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { ensureDirectory } from '../platform/files.ts'
import type { GitRepository } from './repository.ts'
import { removeTree, sweepTemporary, temporarySibling } from './temporary.ts'

/**
 * Runs `work` with an empty repository beside `beside`, and removes it. Attributes are switched off in it, so no filter runs
 * and no line end changes. Only `info/attributes` of a git directory can do that, and all worktrees of a mirror share that
 * file: hence a repository of our own.
 */
export async function withPlainRepository<T>(
  beside: GitRepository,
  { sha256 }: { sha256: boolean },
  work: (plain: GitRepository) => Promise<T>,
): Promise<T> {
  // It has a name of its own, because it is made without the lock under which other temporary directories are made and
  // swept.
  const place = `${beside.path}.plain`
  const directory = temporarySibling(place)
  try {
    await sweepTemporary(place, 'ofTheDead')
    ensureDirectory(directory)
    const format = sha256 ? ['--object-format=sha256'] : []
    await beside.from(directory, {}).git(['init', '--bare', '--quiet', '--template=', ...format, directory])
    fs.mkdirSync(path.join(directory, 'info'), { recursive: true })
    const off = '* -text -eol -crlf -filter -ident -working-tree-encoding\n'
    fs.writeFileSync(path.join(directory, 'info', 'attributes'), off)
    // Allows names that only another system takes for .git, such as "git~1".
    fs.appendFileSync(path.join(directory, 'config'), '[core]\n\tprotectNTFS = false\n\tprotectHFS = false\n')
    return await work(beside.at(directory))
  } finally {
    await removeTree(directory)
  }
}
