/** What a recovery commit says about itself: a line for people, and a record from which restore.ts works. */
import * as z from 'zod/mini'
import { lazy } from '../../core/lazy.ts'

const schema = lazy(() => {
  const text = z.nullable(z.string())
  return z.looseObject({
    /** The canonical ref of the issue. */
    issue: text,
    /** The branch of the issue. */
    branch: text,
    /** The commit HEAD was at, and the branch it was on (null: detached). */
    head: text,
    on: text,
    /** All saved branches with their commits. */
    branches: z.record(z.string(), z.string()),
    /** The commit's own tree is the working files; false when there were none to save. */
    files: z.boolean(),
    /** The tree of the index; null when it had conflicts, or there was none. */
    index: text,
    /** A commit that has that tree. Version 0.1 did not write it. */
    index_commit: z.optional(text),
    /** A commit whose tree is the ignored files. */
    ignored: text,
    stashes: z.array(z.looseObject({ commit: z.string(), message: z.string() })),
    /** Commits of no branch, each with the record of the worktree that named it. Version 0.1 did not write them. */
    parked: z.optional(z.array(z.looseObject({ commit: z.string(), from: z.string() }))),
    in_progress: text,
    /**
     * A commit whose tree is the files of the operation in progress, see at-risk/operations.ts. Version 0.1 did not write
     * it.
     */
    operation: z.optional(text),
    /** Ignored files that were not saved. */
    left_out: z.array(z.string()),
    counts: z.looseObject({
      commits: z.number(),
      uncommitted: z.number(),
      untracked: z.number(),
      ignored: z.number(),
      stashes: z.number(),
    }),
  })
})

export type SavedRecord = z.infer<ReturnType<typeof schema>>

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
    const read = schema().safeParse(JSON.parse(line.slice(mark.length)))
    return read.success ? read.data : undefined
  } catch {
    return undefined
  }
}
