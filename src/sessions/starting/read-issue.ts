import type { IssueText } from '../../agents/issue-section.ts'
import type { Home } from '../../config/home.ts'
import type { IssueRef } from '../../core/issue-ref.ts'
import { issueOfNumber } from '../../forges/look-up.ts'
import { forgeAt } from '../file/pull-requests.ts'

/** An agent can read the issue itself, so no start waits longer for it. */
const patienceMs = 4_000

/** The title and text of an issue; undefined when its forge is unknown or does not tell within four seconds. */
export async function readIssueText(home: Home, ref: IssueRef): Promise<IssueText | undefined> {
  if (!/^\d+$/.test(ref.id)) return undefined
  const signal = AbortSignal.any([home.signal, AbortSignal.timeout(patienceMs)])
  try {
    const at = await forgeAt({ ...home, signal }, ref)
    return at && (await issueOfNumber(at, Number(ref.id)))
  } catch {
    home.signal.throwIfAborted()
    return undefined
  }
}
