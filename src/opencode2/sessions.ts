/** Makes and places sessions. */
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { KugetsuError } from '../core/errors.ts'
import { textAt } from '../core/unknown-data.ts'
import type { Client, Placement } from '../driver/client.ts'
import { plainLine } from '../core/plain-text.ts'
import { firstRequestMs, requireNoDevice } from '../opencode/api/requests.ts'
import { readByOpencode } from '../opencode/project-files.ts'
import type { Routes } from './api/routes.ts'
import type { Session } from './api/schemas.ts'
import { asRules } from './rules.ts'

const againMs = 50
/** How long our plugin may load after the others, in milliseconds. */
const lateMs = 10_000

/** Where a session keeps its first instruction, so that others can be given the same. */
const told = 'kugetsu'

/** Our plugin is recognised by its file: another one may have its id, and then opencode leaves ours out. */
export interface Guard {
  /** The file that it is loaded from. */
  file: string
  /** Ends the waiting for it. */
  signal: AbortSignal | undefined
}

/**
 * Waits until our plugin is at work in a directory. Without it agents have no variables and the PM agent has no guard; and
 * until then opencode has a wrong default model. Throws KugetsuError `guard_missing` when it does not come.
 */
export async function whenGuarded(routes: Routes, directory: string, { file, signal }: Guard): Promise<void> {
  requireNoDevice(readByOpencode(directory))
  const from = performance.now()
  let othersFrom: number | undefined
  for (;;) {
    const plugins = await routes.plugins(directory)
    const ours = plugins.find(({ source }) => source?.path !== undefined && isSameFile(source.path, file))?.state
    if (ours?.status === 'active') return
    if (ours?.status === 'failed') {
      throw guardMissing(directory, plainLine(ours.error ?? 'it does not say why', 300))
    }
    const now = performance.now()
    // opencode tells of all plugins at once.
    if (plugins.length > 0) othersFrom ??= now
    if (othersFrom !== undefined && now - othersFrom > lateMs) {
      throw guardMissing(directory, 'opencode has loaded other plugins without it')
    }
    if (now - from > firstRequestMs) {
      throw guardMissing(directory, `opencode has loaded no plugin for ${firstRequestMs / 1000} s`)
    }
    await sleep(againMs, undefined, { signal })
  }
}

/** opencode follows the links in a path. */
function isSameFile(one: string, other: string): boolean {
  return one === other || (fs.existsSync(other) && one === fs.realpathSync(other))
}

function guardMissing(directory: string, why: string): KugetsuError {
  return new KugetsuError(`kugetsu's plugin is not at work in opencode for ${directory}: ${why}`, {
    hint: "See opencode's log, and whether your configuration turns plugins off. Without it no agent is started.",
    code: 'guard_missing',
  })
}

/** A new session with a first instruction, as Client.createPrimed() says. */
export async function createPrimed(
  routes: Routes,
  directory: string,
  { title, text, agent }: Parameters<Client['createPrimed']>[1],
  guard: Guard,
): Promise<string> {
  if (agent !== undefined) await requireAgent(routes, directory, agent, guard)
  const id = `ses_${random()}`
  await routes.createSession({ id, title, directory, agent, metadata: { [told]: text } })
  try {
    await routes.instruct(id, text)
    return id
  } catch (error) {
    await routes.remove(id).catch(() => {})
    throw error
  }
}

/** opencode makes a session with any agent, and fails at its first prompt. */
async function requireAgent(routes: Routes, directory: string, agent: string, guard: Guard): Promise<void> {
  await whenGuarded(routes, directory, guard)
  if ((await routes.agents(directory)).some(({ id }) => id === agent)) return
  throw new KugetsuError(`opencode has no agent ${agent}`, {
    hint: "See opencode's log: kugetsu defines that agent in OPENCODE_CONFIG_CONTENT.",
    code: 'priming_failed',
  })
}

/**
 * The id of a new session, which begins with the id of its base: place() makes the session, in the right directory at once.
 * Throws KugetsuError `base_session_missing`.
 */
export async function fork(routes: Routes, base: string): Promise<string> {
  await firstTextOf(routes, base)
  return `${base}_${random()}`
}

/** As Client.place() says. Doing it again changes nothing. */
export async function place(
  routes: Routes,
  id: string,
  { directory, rules, title, isNew }: Placement,
  guard: Guard,
): Promise<void> {
  const permissions = asRules(rules)
  if (isNew) {
    const text = await firstTextOf(routes, id.slice(0, id.lastIndexOf('_')))
    await routes.createSession({ id, title, directory, permissions, metadata: { [told]: text } })
    await Promise.all([routes.instruct(id, text), whenGuarded(routes, directory, guard)])
  } else {
    const session = await routes.session(id)
    if (session !== undefined && session.location.directory !== directory) {
      await routes.move(id, directory)
      await routes.wait(id)
    }
    if (session !== undefined) await routes.update(id, { title, permissions })
    await whenGuarded(routes, directory, guard)
  }
  requirePlaced(id, await routes.session(id), directory)
}

function requirePlaced(id: string, session: Session | undefined, directory: string): void {
  const at = session?.location.directory
  if (at === directory) return
  throw new KugetsuError(`opencode's session ${id} works in ${at ?? 'no directory'}, not in ${directory}`, {
    hint: "See opencode's log.",
    code: 'wrong_directory',
  })
}

async function firstTextOf(routes: Routes, base: string): Promise<string> {
  const session = await routes.session(base)
  const text = textAt(session?.metadata, told)
  if (text !== undefined) return text
  throw new KugetsuError('opencode does not know the base session any more', {
    hint: 'Make a new one with "kugetsu init --force"; issue sessions and worktrees stay.',
    code: 'base_session_missing',
  })
}

function random(): string {
  return randomBytes(12).toString('hex')
}
