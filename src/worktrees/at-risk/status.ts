/** `git status --porcelain=v2 -z`, read into what matters for losing work. */
import { type ByteName, nameIn } from '../../platform/byte-names.ts'
import type { GitRepository } from '../../git/repository.ts'
import { changedByOpencode } from './by-opencode.ts'
import { changedThoughHidden } from './hidden.ts'

export interface Status {
  /** Changed, staged, deleted or conflicted paths. */
  uncommitted: ByteName[]
  /** Files and whole directories (ending in `/`) that git does not know. */
  untracked: ByteName[]
  /** Ignored files and directories, whole directories collapsed. */
  ignored: ByteName[]
  /** The submodules among the uncommitted paths: at another commit than is staged, or staged at another. */
  submodules: ByteName[]
}

export interface WholeStatus extends Status {
  /** Changed only by opencode; not among the uncommitted paths. */
  byOpencode: ByteName[]
  /** The uncommitted paths that git itself does not report. */
  hidden: ByteName[]
}

/**
 * Reads the status of a worktree without touching its index. Files that only opencode has changed are in `byOpencode`, not
 * in `uncommitted`. Files that git was told not to look at (hidden.ts) are in `uncommitted`. A submodule only counts by
 * whether it is at its staged commit; for its contents see inner-repository.ts. Throws KugetsuError when git fails.
 */
export async function readStatus(worktree: GitRepository): Promise<WholeStatus> {
  const shown = ['--untracked-files=normal', '--ignored=traditional', '--ignore-submodules=dirty']
  const [text, hidden] = await Promise.all([
    worktree.bytes(['status', '--porcelain=v2', '-z', ...shown]),
    changedThoughHidden(worktree),
  ])
  const status = parseStatus(text)
  const byOpencode = await changedByOpencode(worktree, [...recordsIn(text)])
  const own = status.uncommitted.filter((name) => !byOpencode.includes(name))
  return { ...status, uncommitted: [...new Set([...own, ...hidden])], byOpencode, hidden }
}

/**
 * The text has one character for each byte. Records end in NUL. `1` and `u` records have 8 and 10 fields before the path. A
 * `2` record (renamed) has 9, and the old path follows as a record of its own.
 */
export function parseStatus(text: string): Status {
  const status: Status = { uncommitted: [], untracked: [], ignored: [], submodules: [] }
  for (const record of recordsIn(text)) {
    const kind = record[0]
    if (kind === '?') status.untracked.push(nameIn(record.slice(2)))
    else if (kind === '!') status.ignored.push(nameIn(record.slice(2)))
    else if (kind === '1' || kind === '2' || kind === 'u') {
      const path = afterFields(record, kind === '1' ? 8 : kind === '2' ? 9 : 10)
      status.uncommitted.push(path)
      if (record.split(' ')[2]?.startsWith('S') === true) status.submodules.push(path)
    }
  }
  return status
}

/** Yields the records without the old paths of renames. */
function* recordsIn(text: string): Generator<string> {
  const records = text.split('\0').values()
  for (const record of records) {
    yield record
    if (record.startsWith('2')) records.next()
  }
}

/** What follows the first `count` fields; a path may have spaces. */
function afterFields(record: string, count: number): ByteName {
  let from = 0
  for (let field = 0; field < count; field++) from = record.indexOf(' ', from) + 1
  return nameIn(record.slice(from))
}
