/**
 * The processes of an issue: those that its agent left in the background (a dev server, a watcher), and those that
 * opencode started in its worktree (a language server with children of its own). They are recognised by the environment
 * variables that kugetsu gives to every command of an agent. A process that dropped them is recognised by its parent.
 * Linux only.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { maskerOf } from '../../agents/known-secrets.ts'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { plainLine } from '../../core/plain-text.ts'
import { markerVariable } from '../../driver/environment.ts'
import { readServer } from '../../server/server-file.ts'
import { endProcesses } from '../../platform/end-processes.ts'
import { commandLineOf, ownLine, processTable, workingDirectoryOf, type Listed } from '../../platform/process-table.ts'
import { isWithin } from '../../platform/within.ts'
import { unload } from './loading.ts'

/** How long a process gets to end by itself, in milliseconds. */
const graceMs = 5_000
const shownCommand = 80

/** Which processes are meant: those of an issue, those in a worktree, or both. */
export interface Owner {
  issueRef?: string | null | undefined
  worktree?: string | null | undefined
}

/** The processes of an issue or a worktree, by pid. */
export function processesOf(home: Home, owner: Owner): number[] {
  const table = processTable()
  const spared = new Set([...ownLine(), ...serverPid(home)])
  const worktree = owner.worktree ? realPath(owner.worktree) : undefined
  const found = new Set<number>()
  const isOwn = ({ pid, parent, variables }: Listed) => {
    if (found.has(pid) || spared.has(pid)) return false
    if (variables === undefined || !isOfKugetsu(variables)) return found.has(parent)
    return isMarked(home, variables, owner, () => isInside(worktree, workingDirectoryOf(pid)))
  }
  // A child may be listed before its parent, because pids are reused.
  for (let before = -1; found.size !== before;) {
    before = found.size
    for (const each of table) if (isOwn(each)) found.add(each.pid)
  }
  return [...found]
}

/** Processes of issues that are not in `known`, by pid: the issue was destroyed while they ran. */
export function processesWithoutIssue(home: Home, known: ReadonlySet<string>): { pid: number; issueRef: string }[] {
  const spared = new Set(ownLine())
  return processTable().flatMap(({ pid, variables }) => {
    const issueRef = variables?.get('KUGETSU_ISSUE_REF') ?? ''
    if (spared.has(pid) || issueRef === '' || known.has(issueRef)) return []
    return isOfAgent(home, variables) ? [{ pid, issueRef }] : []
  })
}

/**
 * Ends the processes of an issue or a worktree, warns of those that do not end, and returns the ended ones as words for
 * a person. Call it before looking at files, because these processes may change them.
 */
export async function endProcessesOf(home: Home, owner: Owner): Promise<string[]> {
  const names = new Map<number, string>()
  const find = () => {
    const pids = processesOf(home, owner)
    for (const pid of pids) if (!names.has(pid)) names.set(pid, describeProcess(home, pid))
    return pids
  }
  const { gone, left } = await endProcesses(find, graceMs)
  if (left.length > 0) {
    home.warn(`could not be ended, and still runs: ${left.map((pid) => names.get(pid) ?? pid).join(', ')}`)
  }
  return gone.map((pid) => names.get(pid) ?? String(pid))
}

/**
 * Prepares a worktree for its removal: closes it in opencode, and ends the processes that still run for it or in it.
 * Returns those as endProcessesOf() does.
 */
export async function quietWorktree(home: Home, owner: Owner): Promise<string[]> {
  if (owner.worktree && fs.existsSync(owner.worktree)) {
    await unload(home, owner.worktree).catch((error: unknown) => {
      home.warn(`opencode keeps ${owner.worktree} open: ${messageOf(error)}`)
    })
  }
  return endProcessesOf(home, owner)
}

/** A process as words for a person: `npm run dev (pid 4711)`. */
export function describeProcess(home: Home, pid: number): string {
  const command = plainLine(maskerOf(home)(commandLineOf(pid)), shownCommand)
  return command === '' ? `pid ${pid}` : `${command} (pid ${pid})`
}

function isOfKugetsu(variables: ReadonlyMap<string, string>): boolean {
  return Boolean(variables.get('KUGETSU_DIR'))
}

/** Whether this home's server started it, for an agent on an issue or for itself, not for a person at a terminal. */
function isOfAgent(home: Home, variables: Listed['variables']): boolean {
  if (variables?.get('KUGETSU_DIR') !== home.paths.home || variables.get('KUGETSU_TERMINAL')) return false
  return Boolean(variables.get(markerVariable)) && variables.get('KUGETSU_AGENT') !== 'pm-agent'
}

function isMarked(
  home: Home,
  variables: ReadonlyMap<string, string>,
  { issueRef, worktree }: Owner,
  worksInside: () => boolean,
): boolean {
  if (!isOfAgent(home, variables)) return false
  const theirs = variables.get('KUGETSU_ISSUE_REF') ?? ''
  if (theirs !== '' && issueRef) return theirs === issueRef
  return Boolean(worktree) && (variables.get('KUGETSU_WORKTREE') === worktree || (theirs === '' && worksInside()))
}

function isInside(directory: string | undefined, place: string | undefined): boolean {
  if (directory === undefined || place === undefined) return false
  return isWithin(directory, place)
}

function serverPid(home: Home): number[] {
  const record = readServer(home)
  return record === undefined ? [] : [record.pid]
}

function realPath(directory: string): string {
  try {
    return fs.realpathSync(directory)
  } catch {
    return path.resolve(directory)
  }
}
