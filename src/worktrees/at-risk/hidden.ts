/**
 * Tracked files that git was told not to look at (git-update-index(1), `--assume-unchanged` and `--skip-worktree`):
 * `git status` does not report their changes, and `git add` leaves them out.
 */
import { isUtf8 } from 'node:buffer'
import * as fs from 'node:fs'
import { type ByteName, bytesOf, nameIn, placeIn } from '../../platform/byte-names.ts'
import { readRegular } from '../../platform/regular-file.ts'
import type { GitRepository } from '../../git/repository.ts'
import { checkedOut, contentOf } from './blobs.ts'

/** At most so many are compared with their checkout, by one git each. If there are more, all count as changed. */
const mostCompared = 100

interface Entry {
  mode: string
  blob: string
  name: ByteName
}

/** The hidden files that are on the disk and differ from their checkout. Throws KugetsuError when git fails. */
export async function changedThoughHidden(worktree: GitRepository): Promise<ByteName[]> {
  const entries = hiddenIn(await worktree.bytes(['ls-files', '-v', '-s', '-z']))
  // In a sparse checkout most of them are not on the disk.
  const there = entries.filter(({ name }) => statOf(worktree, name) !== undefined)
  if (there.length > mostCompared) return there.map(({ name }) => name)
  const changed: ByteName[] = []
  for (const entry of there) if (await isChanged(worktree, entry)) changed.push(entry.name)
  return changed
}

/** Parses the output of `git ls-files -v -s -z`: a tag, then mode, blob and stage, then the name. */
function hiddenIn(text: string): Entry[] {
  return text.split('\0').flatMap((record) => {
    // The tag is in lower case for assume-unchanged. Submodules are left out: their own repositories are checked.
    const [, mode = '', blob = '', characters = ''] = /^(?:[a-z]|S) (\d+) ([0-9a-f]+) 0\t([^]+)$/.exec(record) ?? []
    return characters === '' || mode === '160000' ? [] : [{ mode, blob, name: nameIn(characters) }]
  })
}

async function isChanged(worktree: GitRepository, { mode, blob, name }: Entry): Promise<boolean> {
  const [file, stat, bytes] = [placeIn(worktree.path, name), statOf(worktree, name), bytesOf(name)]
  if (mode === '120000' && stat?.isSymbolicLink() === true) {
    return !fs.readlinkSync(file, { encoding: 'buffer' }).equals(await contentOf(worktree, blob))
  }
  const isExecutable = stat !== undefined && (stat.mode & 0o100) !== 0
  // Git cannot be handed a path in any encoding but UTF-8.
  if (stat?.isFile() !== true || isExecutable !== (mode === '100755') || !isUtf8(bytes)) return true
  return readRegular(file)?.equals(await checkedOut(worktree, blob, bytes)) !== true
}

function statOf(worktree: GitRepository, name: ByteName): fs.Stats | undefined {
  try {
    return fs.lstatSync(placeIn(worktree.path, name))
  } catch {
    return undefined
  }
}
