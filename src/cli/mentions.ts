/** Which issues a message to the PM agent mentions. */
import { codeOf, exitCodes, KugetsuError } from '../core/errors.ts'
import { formatRef, refsEndingIn } from '../core/issue-ref.ts'
import { mentionsIn } from '../core/mentions.ts'
import type { Mention } from '../sessions/pm/mentioned.ts'
import { trackedRefs } from '../sessions/file/store.ts'
import { sessionViews } from '../sessions/status/session-view.ts'
import type { Context } from './terminal/context.ts'
import { styled } from './terminal/output.ts'
import { refReader } from './refs.ts'

/** The issues that `message` names, each with what it may mean. If there are several, asks the person on a terminal. */
export async function mentionedIn(context: Context, message: string): Promise<Mention[]> {
  const tracked = trackedRefs(context)
  const read = refReader(context, { tracked })
  const mentions: Mention[] = []
  for (const said of mentionsIn(message)) {
    const refs = await meaningsOf(read, tracked, said)
    if (refs.length > 0) mentions.push({ said, issue_refs: await chosen(context, said, refs) })
  }
  return mentions
}

/** Empty for a text that only looks like a ref: `#3` outside of a clone, or in a deleted directory. */
async function meaningsOf(read: ReturnType<typeof refReader>, tracked: string[], said: string): Promise<string[]> {
  try {
    return [formatRef((await read(said)).ref)]
  } catch (error) {
    if (['bad_ref', 'bad_url', 'missing_directory'].includes(codeOf(error) ?? '')) return []
    if (codeOf(error) !== 'ambiguous_ref') throw error
    return refsEndingIn(said, tracked)
  }
}

async function chosen(context: Context, said: string, refs: string[]): Promise<string[]> {
  if (refs.length < 2 || !context.io.interactive) return refs
  const views = sessionViews(context, { all: true })
  context.io.err(`"${said}" may mean:\n`)
  refs.forEach((ref, index) => {
    const view = views.find(({ issue_ref: each }) => each === ref)
    const about = [view?.state, view?.branch].filter(Boolean).join(', ')
    context.io.err(`  ${index + 1}  ${styled(context, 'bold', ref)}${about === '' ? '' : `  ${about}`}\n`)
  })
  for (;;) {
    const answer = await context.io.ask(`Which one? [1-${refs.length}, Enter: delegate anyway] `)
    if (answer === undefined) {
      const details = { hint: 'Nothing was queued.', code: 'interrupted', exitCode: exitCodes.interrupted }
      throw new KugetsuError('not delegated', details)
    }
    if (answer.trim() === '') return refs
    const ref = /^\d+$/.test(answer.trim()) ? refs[Number(answer) - 1] : undefined
    if (ref !== undefined) return [ref]
  }
}
