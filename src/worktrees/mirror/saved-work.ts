/** A recovery commit's own words: a line for people, and a record from which restore.ts works. */
import {
  aBoolean,
  aList,
  aNumber,
  anObject,
  aText,
  type Described,
  nullable,
  nullish,
  optional,
  readFields,
  required,
  texts,
} from '../../core/fields.ts'

const fields = {
  /** The canonical ref of the issue. */
  issue: nullable(aText),
  /** The branch of the issue. */
  branch: nullable(aText),
  /** The commit HEAD was at, and the branch it was on (null: detached). */
  head: nullable(aText),
  on: nullable(aText),
  /** All saved branches with their commits. */
  branches: required(texts),
  /** The commit's own tree is the working files; false when there were none to save. */
  files: required(aBoolean),
  /** The tree of the index; null when it had conflicts, or there was none. */
  index: nullable(aText),
  /** A commit that has that tree. Version 0.1 did not write it. */
  index_commit: nullish(aText),
  /** A commit with the ignored files as its tree. */
  ignored: nullable(aText),
  stashes: required(aList(anObject({ commit: required(aText), message: required(aText) }))),
  /** Commits of no branch, each with the record of the worktree that named it. Version 0.1 did not write them. */
  parked: optional(aList(anObject({ commit: required(aText), from: required(aText) }))),
  in_progress: nullable(aText),
  /**
   * A commit with the files of the operation in progress as its tree, see at-risk/operations.ts. Version 0.1 did not
   * write it.
   */
  operation: nullish(aText),
  /** Ignored files that were not saved. */
  left_out: required(aList(aText)),
  counts: required(
    anObject({
      commits: required(aNumber),
      uncommitted: required(aNumber),
      untracked: required(aNumber),
      ignored: required(aNumber),
      stashes: required(aNumber),
    }),
  ),
}

export type SavedRecord = Described<typeof fields>

const mark = 'kugetsu 1 '

/** The message of a recovery commit. */
export function messageOfSaved(summary: string, record: SavedRecord): string {
  return `${summary}\n\n${mark}${JSON.stringify(record)}\n`
}

/** The record in the body of a commit message; undefined when the commit is not ours. */
export function recordIn(body: string): SavedRecord | undefined {
  const line = body.split('\n').findLast((each) => each.startsWith(mark))
  if (line === undefined) return undefined
  try {
    return readFields(fields, JSON.parse(line.slice(mark.length)))
  } catch {
    return undefined
  }
}
