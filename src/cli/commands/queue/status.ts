import { plainLine } from '../../../core/plain-text.ts'
import { daemonStatus, replacementOf } from '../../../daemon/control.ts'
import { readServer } from '../../../server/server-file.ts'
import { isAlive } from '../../../platform/processes.ts'
import { sessionsAtWork } from '../../../sessions/runs/at-work.ts'
import { memoryRoom, memoryShortage } from '../../../sessions/slots/memory.ts'
import { countUnread } from '../../../activity/notifications.ts'
import { slotHolders } from '../../../sessions/slots/slots.ts'
import { baseName, pmAgentSession, readIndex, readSession } from '../../../sessions/file/store.ts'
import type { Context } from '../../terminal/context.ts'
import { age, printJson } from '../../terminal/output.ts'
import { printForPerson, statusLine } from './status-for-person.ts'

export async function runStatus(context: Context, options: { json?: boolean; line?: boolean }): Promise<void> {
  if (options.line === true) return context.io.out(await statusLine(context))
  const server = readServer(context)
  const alive = server !== undefined && isAlive(server)
  const held = slotHolders(context)
  const room = memoryRoom(context, held)
  const holders = held.map(({ issueRef, phase, takenAt }) => ({
    issue_ref: issueRef,
    phase,
    since: takenAt,
  }))
  const daemon = await daemonStatus(context)
  const replacement = daemon && replacementOf(daemon)
  // Agents that no daemon follows; status starts no daemon.
  const left = daemon === undefined ? sessionsAtWork(context) : []
  const interrupted =
    left.length === 0 ? [] : await (await import('../../interrupted.ts')).tellOfInterrupted(context, left)
  const state = {
    status: word(context),
    slots: { limit: context.settings().maxConcurrentAgents, used: holders.length, holders },
    daemon: {
      running: daemon !== undefined,
      dispatching: daemon?.dispatching === true,
      pid: daemon?.pid ?? null,
      outdated: replacement !== undefined,
    },
    server: alive
      ? {
          running: true,
          pid: server.pid,
          port: server.port ?? null,
          version: server.version,
          started_at: server.started_at,
        }
      : { running: false },
  }
  // What a person is told of the queue and of what is unread is counted there.
  if (context.io.terminal && options.json !== true) return printForPerson(context, state, { room, replacement })
  const { status, slots, ...processes } = state
  const queue = await context.queue().counts()
  const report = {
    status,
    slots,
    memory: { enough: room.agents > 0, available_mb: room.availableMb ?? null, needed_mb: room.neededMb },
    queue,
    ...processes,
    notifications: { unread: countUnread(context) },
  }
  if (options.json === true) return printJson(context, report)
  context.io.out(`${report.status}\n`)
  if (report.status === 'kugetsu_not_initialized') return
  context.io.out(`slots   ${holders.length} of ${report.slots.limit} in use\n`)
  const cutOff = new Set(interrupted.map(({ record }) => record.run.slot))
  for (const { id, issueRef, phase, takenAt } of held) {
    const how = cutOff.has(id) ? 'interrupted' : phase === 'run' ? 'at work' : 'starting'
    context.io.out(`          ${plainLine(issueRef, 300)} (${how}, ${age(takenAt, context.now())})\n`)
  }
  const shortage = memoryShortage(room)
  if (shortage !== undefined) context.io.out(`memory  ${shortage}, so new work waits (MIN_FREE_MEMORY_MB)\n`)
  const dispatches = report.daemon.dispatching ? '' : '; no daemon takes tasks. Run: kugetsu queue-daemon start'
  const halted = interrupted.filter(({ record }) => record.run.queue_item !== undefined).length
  const halts = halted === 0 ? '' : `, ${halted} interrupted`
  const atWork = Math.max(0, queue.notified - halted)
  context.io.out(`queue   ${queue.pending} pending, ${atWork} at work${halts}${queue.pending > 0 ? dispatches : ''}\n`)
  const does = report.daemon.dispatching ? ', takes tasks from the queue' : ', follows agents only'
  const [first] = left
  const without =
    first === undefined
      ? 'not running (it starts by itself when needed)'
      : `not running; no daemon follows the agents. To start one: kugetsu wait ${plainLine(first.record.issue_ref ?? 'pm-agent', 300)}`
  const running = `running${does}${replacement === undefined ? '' : `; of another build: ${replacement}`}`
  context.io.out(`daemon  ${report.daemon.running ? running : without}\n`)
  context.io.out(
    `server  ${alive ? `opencode ${plainLine(server.version, 40)}, pid ${server.pid}, up ${age(server.started_at, context.now())}` : 'not running (it starts by itself when needed)'}\n`,
  )
  const { unread } = report.notifications
  if (unread > 0)
    context.io.out(`unread  ${unread} ${unread === 1 ? 'notification' : 'notifications'}: kugetsu notify\n`)
}

function word(context: Context): string {
  const index = readIndex(context)
  if (index === undefined) return 'kugetsu_not_initialized'
  if (!index.base || readSession(context, baseName) === undefined) return 'base_session_missing'
  if (!index.pm_agent || readSession(context, pmAgentSession) === undefined) return 'pm_agent_missing'
  return 'ok'
}
