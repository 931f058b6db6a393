import type { Context } from '../../terminal/context.ts'
import { forEachRef } from '../../several.ts'
import { worktreeOfRef } from '../../worktree.ts'

/** Prints the paths of worktrees, one a line. */
export function runPath(context: Context, options: { refs: string[]; json?: boolean }): Promise<void> {
  return forEachRef(context, options, options.refs, async (text) => {
    const { label, path } = await worktreeOfRef(context, text)
    if (options.json !== true) context.io.out(`${path}\n`)
    return { issue_ref: label, path }
  })
}
