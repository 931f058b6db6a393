import { exitCodes, KugetsuError } from '../../../core/errors.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson } from '../../terminal/output.ts'
import { renderError } from '../../terminal/render-error.ts'
import { worktreeOfRef } from '../../worktree.ts'

/** Prints the paths of worktrees, one a line. A ref without one gets its line on standard error; the worst exit code counts. */
export async function runPath(context: Context, options: { refs: string[]; json?: boolean }): Promise<void> {
  const json = options.json === true
  const found: object[] = []
  let worst: number = exitCodes.done
  for (const ref of options.refs) {
    try {
      const { label, path } = await worktreeOfRef(context, ref)
      found.push({ issue_ref: label, path })
      if (!json) context.io.out(`${path}\n`)
    } catch (error) {
      // One ref alone fails as any command does.
      if (!(error instanceof KugetsuError) || options.refs.length === 1) throw error
      worst = Math.max(worst, error.exitCode)
      if (!json) renderError(context, error, { json: false, debug: false })
      found.push({ ref, error: { message: error.message, hint: error.hint ?? null, code: error.code } })
    }
  }
  if (json) printJson(context, found)
  if (worst !== exitCodes.done) context.setExitCode(worst)
}
