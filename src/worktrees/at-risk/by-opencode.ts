/** Changes that opencode itself makes to files of the repository while it reads them. They are no one's work. */
import { isUtf8 } from 'node:buffer'
import { type ByteName, bytesOf, nameIn, placeIn } from '../../platform/byte-names.ts'
import { readRegular } from '../../platform/regular-file.ts'
import type { GitRepository } from '../../git/repository.ts'
import { checkedOut } from './blobs.ts'

/** Changed in the worktree but not in the index, with the mode unchanged. Captures mode, blob, path. */
const changedOnly = /^1 \.M N\.\.\. (100644|100755) \1 \1 ([0-9a-f]+) \2 (.+)$/s

/**
 * Of the records of `git status --porcelain=v2 -z`, the files that differ from a checkout only by the `$schema` that
 * opencode 1.x adds to a configuration without one. Asks git only about files with such names. Throws KugetsuError when git
 * fails.
 */
export async function changedByOpencode(worktree: GitRepository, records: readonly string[]): Promise<ByteName[]> {
  const found: ByteName[] = []
  for (const record of records) {
    const [, , blob = '', characters = ''] = changedOnly.exec(record) ?? []
    const name = nameIn(characters)
    const [file, bytes] = [placeIn(worktree.path, name), bytesOf(name)]
    if (!isConfigurationName(characters.slice(characters.lastIndexOf('/') + 1)) || !isUtf8(bytes)) continue
    const now = readFile(file)
    if (now?.includes('"$schema"') !== true) continue
    const before = await checkedOut(worktree, blob, bytes)
    if (!before.equals(now) && withSchema(before).equals(now)) found.push(name)
  }
  return found
}

function readFile(file: Buffer): Buffer | undefined {
  try {
    return readRegular(file)
  } catch {
    return undefined // then the file counts as changed, as git says
  }
}

/** Whether opencode reads a file of this name, in any directory of a project, as the project's configuration. */
function isConfigurationName(name: string): boolean {
  return name === 'opencode.json' || name === 'opencode.jsonc'
}

/** How opencode rewrites a configuration without a "$schema" when it reads it (`loadConfig` in its config.ts). */
function withSchema(contents: Buffer): Buffer {
  const text = new TextDecoder().decode(contents) // leaves out a byte order mark, as opencode does
  return Buffer.from(text.replace(/^\s*\{/, '{\n  "$schema": "https://opencode.ai/config.json",'))
}
