/**
 * Commands that keep their call, and so the agent, waiting for ever. opencode ends a call once no process holds the
 * call's output any more. At the call's timeout it ends only the process group. A process that left the group
 * (`setsid sleep 900 &`) and did not redirect its output still holds it. Linux only.
 */
import type { Home } from '../../config/home.ts'
import { readServer } from '../../server/server-file.ts'
import { endProcesses } from '../../platform/end-processes.ts'
import { processTable, streamsOf, type Listed } from '../../platform/process-table.ts'
import { describeProcess, processesOf } from './left-running.ts'

const graceMs = 5_000

/**
 * The pids of the processes that alone hold the output of a call of an issue's agent: of `callId`, or of any call. A call
 * does not count while its own command runs, because it waits for that command. If opencode does not tell an agent's
 * calls apart (KUGETSU_CALL), all count as one.
 */
export function outputHolders(home: Home, issueRef: string, callId?: string): number[] {
  const server = readServer(home)
  if (server === undefined) return []
  const own = new Set(processesOf(home, { issueRef }))
  if (own.size === 0) return []
  const table = processTable()
  const inside = descendants(table, server.pid)
  const open = new Set([...inside].filter((pid) => !own.has(pid)).flatMap((pid) => streamsOf(pid)))
  const holding = table.filter(({ pid }) => own.has(pid) && streamsOf(pid, [1, 2]).some((each) => isEndOf(each, open)))
  const running = new Set(holding.filter(({ pid }) => inside.has(pid)).map(callOf))
  return holding
    .filter((each) => !running.has(callOf(each)) && (!callId || ['', callId].includes(callOf(each))))
    .map(({ pid }) => pid)
}

/** Ends the holders of that call's output, and returns the ended processes as words for a person. */
export async function endOutputHolders(home: Home, issueRef: string, callId: string): Promise<string[]> {
  const names = new Map<number, string>()
  const find = () => {
    const pids = outputHolders(home, issueRef, callId)
    for (const pid of pids) if (!names.has(pid)) names.set(pid, describeProcess(home, pid))
    return pids
  }
  const { gone } = await endProcesses(find, graceMs)
  return gone.map((pid) => names.get(pid) ?? String(pid))
}

function callOf({ variables }: Listed): string {
  return variables?.get('KUGETSU_CALL') ?? ''
}

/** Both ends of a pipe have the same name. The ends of a socket pair, which opencode uses, have consecutive numbers. */
function isEndOf(stream: string, open: ReadonlySet<string>): boolean {
  if (!stream.startsWith('socket:')) return open.has(stream)
  const number = Number(/\d+/.exec(stream)?.[0])
  return open.has(`socket:[${number - 1}]`) || open.has(`socket:[${number + 1}]`)
}

/** A process and all below it, by pid. */
function descendants(table: readonly Listed[], root: number): Set<number> {
  const found = new Set([root])
  // A child may be listed before its parent, because pids are reused.
  for (let before = 0; found.size !== before;) {
    before = found.size
    for (const { pid, parent } of table) if (found.has(parent)) found.add(pid)
  }
  return found
}
