import { formatRef, matchTail } from '../../../core/issue-ref.ts'
import { KugetsuError } from '../../../core/errors.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { clock } from '../../../core/wording.ts'
import { daemonStatus } from '../../../daemon/control.ts'
import { findId } from '../../../queue/find.ts'
import type { Item } from '../../../queue/item.ts'
import { explainFromFiles } from '../../../sessions/explanation/gather.ts'
import type { Explanation, Facts } from '../../../sessions/explanation/facts.ts'
import type { Entry } from '../../../activity/journal.ts'
import { nameOf } from '../../../sessions/file/session-name.ts'
import { madeIn } from '../../made-in.ts'
import type { SessionRecord } from '../../../sessions/file/session-file.ts'
import { readIssue } from '../../../tasks/issues.ts'
import { describeMade, isNothing } from '../../../worktrees/at-risk/made-so-far.ts'
import { readSession, trackedRefs } from '../../../sessions/file/store.ts'
import type { Context } from '../../terminal/context.ts'
import { tellOfInterrupted } from '../../interrupted.ts'
import { printJson, styled } from '../../terminal/output.ts'
import { issueRef } from '../../refs.ts'
import { wrap } from '../../terminal/wrap.ts'

const shownDecisions = 5
const longestText = 2000

/** Explains the state of an issue or a task of the queue, the reason, and what can be done. */
export async function runExplain(context: Context, options: { what: string; json?: boolean }): Promise<void> {
  const { items: queue } = await context.queue().list()
  const { ref, item } = await meant(context, options.what, queue)
  const name = ref === null ? undefined : nameOf(context, await issueRef(context, ref))
  const record = name === undefined ? undefined : readSession(context, name)
  const session = name === undefined || record === undefined ? undefined : { name, record }
  const run = record?.run ?? undefined
  if (session && run) await tellOfInterrupted(context, [{ ...session, record: { ...session.record, run } }])
  const dispatching = (await daemonStatus(context))?.dispatching === true
  const made = record === undefined || run !== undefined ? undefined : await madeFor(context, record)
  const asked = { ref, name, session, item, queue, made, dispatching }
  const { explanation, decisions } = await explainFromFiles(context, asked)
  if (explanation === undefined) {
    throw new KugetsuError(`kugetsu knows nothing of ${ref}: it has no session, no task and no record`, {
      hint: `See "kugetsu list" and "kugetsu queue list", or start it: kugetsu start ${ref} "…"`,
      code: 'unknown_session',
    })
  }
  const { state, sentences, next } = explanation
  const status =
    (item === undefined && ref !== null ? (await readIssue(context, ref, queue))?.status : undefined) ?? null
  if (options.json === true) {
    return printJson(context, { issue_ref: ref, item: item?.id ?? null, status, state, sentences, next, decisions })
  }
  const word = (context.io.terminal ? status : null) ?? state.replace('_', ' ')
  print(
    context,
    { title: item === undefined ? (ref ?? 'PM agent') : `${item.id}  ${ref ?? 'PM agent'}`, word },
    explanation,
    decisions,
  )
}

async function madeFor(context: Context, record: SessionRecord): Promise<Facts['made']> {
  if (!record.worktree_path) return undefined
  const made = await madeIn(context, record)
  return { words: describeMade(made), isNothing: isNothing(made) }
}

/** The issue, or the task, that a person means: `q_…` or the end of such an id, else a ref. */
async function meant(
  context: Context,
  text: string,
  queue: readonly Item[],
): Promise<{ ref: string | null; item: Item | undefined }> {
  const isId = text.startsWith('q_') || (/^\d{4,}$/.test(text) && matchTail(text, trackedRefs(context)) === undefined)
  if (isId) {
    const id = findId(
      queue.map((each) => each.id),
      text,
    )
    const item = queue.find((each) => each.id === id)
    if (item !== undefined) return { ref: item.issue_ref, item }
  }
  const queued = queue.flatMap(({ issue_ref }) => issue_ref ?? [])
  return {
    ref: formatRef(await issueRef(context, text, { tracked: [...trackedRefs(context), ...queued] })),
    item: undefined,
  }
}

function print(
  context: Context,
  { title, word }: { title: string; word: string },
  { sentences, next }: Explanation,
  decisions: readonly Entry[],
): void {
  const { io } = context
  const width = Math.max(40, Math.min(io.columns, 100)) - 2
  io.out(`${styled(context, 'bold', plainLine(title, longestText))}  ${word}\n`)
  io.out(`  ${wrap(plainLine(sentences.join(' '), longestText), width, '  ')}\n`)
  if (next.length > 0) {
    io.out('\nNext:\n')
    for (const command of next) io.out(`  ${plainLine(command, longestText)}\n`)
  }
  if (decisions.length === 0) return
  io.out('\nDecisions:\n')
  for (const { at, decision, reason } of decisions.slice(-shownDecisions)) {
    const head = `  ${clock(at)}  ${plainLine(decision.replaceAll('_', ' '), 20).padEnd(13)} `
    // On a narrow terminal little room is left beside the head: the reason stands below it.
    const indent = width - head.length < 20 ? 4 : head.length
    const text = wrap(plainLine(reason, longestText), width - indent, ' '.repeat(indent))
    io.out(`${styled(context, 'dim', indent === 4 ? `${head.trimEnd()}\n    ` : head)}${text}\n`)
  }
}
