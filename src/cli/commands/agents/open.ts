import { KugetsuError } from '../../../core/errors.ts'
import { webPagesOf } from '../../../forges/web-pages.ts'
import { isWebUrl } from '../../../forges/pull-request-url.ts'
import { knownIssue } from '../../refs.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson } from '../../terminal/output.ts'
import { chosenProgram, openInBrowser, runInTerminal } from '../../terminal/programs.ts'
import { worktreeOfRef } from '../../worktree.ts'

export interface OpenOptions {
  ref: string
  web?: boolean
  issue?: boolean
  json?: boolean
}

/** Opens the worktree of an issue in the person's editor, or with `web` its page in a browser. */
export async function runOpen(context: Context, options: OpenOptions): Promise<void> {
  if (options.web === true || options.issue === true) return openPage(context, options)
  const { label, path } = await worktreeOfRef(context, options.ref)
  const editor = chosenProgram(context.env, ['VISUAL', 'EDITOR'])
  if (editor === undefined) {
    throw new KugetsuError('neither VISUAL nor EDITOR is set', {
      hint: `Set one, such as EDITOR=vim, or go there: cd "$(kugetsu path ${options.ref})"`,
      code: 'no_editor',
    })
  }
  const code = await runInTerminal(context, { ...editor, words: [...editor.words, path] }, path)
  context.setExitCode(code)
  if (options.json === true) printJson(context, { issue_ref: label, path, exit_code: code })
}

async function openPage(context: Context, options: OpenOptions): Promise<void> {
  const { ref, label, record } = await knownIssue(context, options.ref)
  // The bash tool and people may have stored anything.
  const known = record?.pr_url && isWebUrl(record.pr_url) ? record.pr_url : undefined
  const pullRequest = options.issue === true ? undefined : known
  const url = pullRequest ?? webPagesOf(context, ref)?.issue
  if (url === undefined) {
    throw new KugetsuError(`the page of ${label} is not known: ${whyNot(ref.id, ref.host)}`, {
      hint: `If it is on a forge, say which: kugetsu server add ${ref.host} <url> --type …`,
      code: 'no_page',
    })
  }
  await openInBrowser(context, url)
  if (options.json === true) return printJson(context, { issue_ref: label, url })
  context.io.out(`Opened ${url}\n`)
}

function whyNot(id: string, host: string): string {
  return /^\d+$/.test(id) ? `${host} is a plain git server` : 'its id is not a number'
}
