/** Gathers the facts about an issue or a task from the files and the server, and explains them. */
import { type Entry, readJournal } from '../../activity/journal.ts'
import { maskerOf } from '../../agents/known-secrets.ts'
import type { Home } from '../../config/home.ts'
import { plainLine } from '../../core/plain-text.ts'
import type { Client } from '../../driver/client.ts'
import { findServer } from '../../server/server.ts'
import type { StoredSession } from '../file/store.ts'
import { waitingStartOf } from '../file/waiting-starts.ts'
import { outputHolders } from '../runs/held-output.ts'
import { whatDied } from '../runs/interrupted.ts'
import { describeProcess } from '../runs/left-running.ts'
import { sessionView } from '../status/session-view.ts'
import { memoryRoom, memoryShortage } from '../slots/memory.ts'
import { slotHolders } from '../slots/slots.ts'
import { explain } from './explain.ts'
import type { Explanation, Facts } from './facts.ts'

/** How long opencode may take to tell the status of an agent's MCP servers; it waits for those that do not answer. */
const mcpPatienceMs = 2_000

/** An issue or a task; `name` is that of its session file, which may be missing. */
export interface Asked extends Pick<Facts, 'ref' | 'item' | 'queue' | 'made' | 'dispatching'> {
  name: string | undefined
  session: StoredSession | undefined
}

/** Explains it; undefined when nothing is known about the issue. `decisions` are its journal, oldest first. */
export async function explainFromFiles(
  home: Home,
  { name, session: stored, ...asked }: Asked,
): Promise<{ explanation: Explanation | undefined; decisions: Entry[] }> {
  const run = stored?.record.run ?? undefined
  const decisions = readJournal(home, { issueRef: asked.ref, item: asked.item?.id })
  const holders = slotHolders(home)
  const explanation = explain({
    ...asked,
    session: stored && sessionView(home, stored.name, stored.record),
    run,
    whatDied: run && whatDied(run),
    holders,
    atRemote: name === undefined ? undefined : waitingStartOf(home, name),
    ...(await agentFacts(home, asked.ref, stored)),
    limit: home.settings(asked.ref).maxConcurrentAgents,
    shortage: memoryShortage(memoryRoom(home, holders)),
    decisions,
    now: home.now(),
  })
  return { explanation, decisions }
}

/** What keeps the agent of the issue waiting, if one is running. */
async function agentFacts(
  home: Home,
  ref: string | null,
  stored: StoredSession | undefined,
): Promise<Pick<Facts, 'outputHeldBy' | 'trouble'>> {
  if (ref === null || !stored?.record.run) return { outputHeldBy: [], trouble: [] }
  const { opencode_session_id: id, worktree_path: directory } = stored.record
  const client = findServer(home)?.client
  const trouble =
    client && id && directory
      ? [...(await retryOf(client, id, directory)), ...(await client.mcpTrouble(directory, mcpPatienceMs))]
      : []
  return {
    outputHeldBy: outputHolders(home, ref).map((pid) => describeProcess(home, pid)),
    trouble: trouble.map(maskerOf(home)),
  }
}

/** Says that the agent's model fails while opencode tries again; empty when opencode does not say so. */
async function retryOf(client: Client, id: string, directory: string): Promise<string[]> {
  const retry = await client.retryOf(id, directory).catch(() => undefined)
  if (retry === undefined) return []
  const why = plainLine(retry.text || 'no reason was given', 200).replace(/[.!]$/, '')
  return [`its model fails, and opencode retries (attempt ${retry.attempt}): ${why}`]
}
