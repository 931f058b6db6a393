/**
 * The variables of an agent's commands, and the session that runs a command. Part of the plugins inside opencode: plain
 * JavaScript and node modules only. The settings come from the server's environment (driver/environment.ts sets them).
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { agentVariables, type AgentKind } from '../agents/env-files.ts'
import { credentialVariables, helperVariable } from '../core/credential-helper.ts'
import { unattended } from '../core/unattended.ts'
import { readText } from '../platform/files.ts'
import { isWithin } from '../platform/within.ts'

export interface ShellCall {
  cwd: string
  /** Absent when a person opens a terminal in opencode. */
  sessionID?: string
  /** Absent in such a terminal too, and with older versions. */
  callID?: string
}

/** The fields of a session file that matter here. */
interface SessionFile {
  name: string
  sessionId: string | undefined
  issueRef: string | undefined
  worktree: string | undefined
  hasRun: boolean
}

interface Agent {
  kind: AgentKind
  session: SessionFile | undefined
}

/** No person is there to answer an editor, a pager or a prompt. The env files win over these. */
const silent = {
  ...unattended,
  PAGER: 'cat',
  GH_PROMPT_DISABLED: '1',
}

/**
 * Variables by which a shell, git or a forge's program runs another program. The PM agent gets none of them from the env
 * files, because it may run only the programs of its list. For the other agents the user decides.
 */
const startsPrograms =
  /^(?:BASH_ENV|ENV|ZDOTDIR|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|NODE_OPTIONS|LD_\w+|DYLD_\w+|GIT_EXTERNAL_DIFF|\w*PAGER|\w*EDITOR|VISUAL|\w*BROWSER|LESSOPEN)$/
/** What a shell reads before its first command: the PM agent does not get the user's own either. */
const noStartupFile = { BASH_ENV: '', ENV: '' }

/** Finds commands that outlive the server; set by the starter of the server and never by an env file. */
const marker = 'KUGETSU_SERVER'

export function isPmAgent(home: string, sessionId: string): boolean {
  return home !== '' && readSession(home, 'pm-agent.json')?.sessionId === sessionId
}

export function isDevAgent(home: string, sessionId: string): boolean {
  return devSessions(home).some((session) => session.sessionId === sessionId)
}

/**
 * The agent with a run that works in a directory under that session, or has that sub-agent: its issue, or its name without
 * one. Undefined when there is none.
 */
export function atWork(home: string, call: ShellCall): string | undefined {
  const agent = attempt(() => agentOf(home, call))
  const session = agent?.kind === 'pm-agent' ? readSession(home, 'pm-agent.json') : agent?.session
  return session?.hasRun ? (session.issueRef ?? session.name) : undefined
}

/** `given` are the variables that the command has anyway. Never throws for a bad file. */
export function environmentFor(call: ShellCall, given: Record<string, string>): Record<string, string> {
  const home = process.env['KUGETSU_DIR']
  if (home === undefined || home === '') return { ...silent }
  const agent = attempt(() => agentOf(home, call))
  const variables = (agent && attempt(() => agentVariables(path.join(home, 'env'), agent.kind))) ?? {}
  delete variables[marker]
  const isPm = agent?.kind === 'pm-agent'
  if (isPm) for (const name of Object.keys(variables)) if (startsPrograms.test(name)) delete variables[name]
  const helper = process.env[helperVariable]
  return {
    ...silent,
    ...setIf('KUGETSU_TEMP_DIR', process.env['KUGETSU_TEMP_DIR']),
    ...variables,
    ...(agent && helper ? credentialVariables({ ...process.env, ...given, ...variables }, helper, agent.kind) : {}),
    ...(isPm ? noStartupFile : {}),
    KUGETSU_DIR: home,
    ...setIf('KUGETSU_AGENT', agent?.kind),
    ...setIf('KUGETSU_ISSUE_REF', agent?.session?.issueRef),
    ...setIf('KUGETSU_WORKTREE', agent?.session?.worktree),
    // By this the daemon finds what keeps a call waiting beyond its timeout (sessions/runs/held-output.ts).
    KUGETSU_CALL: call.callID ?? '',
    // What a person runs in a terminal of opencode is not ended with the issue (sessions/runs/left-running.ts).
    KUGETSU_TERMINAL: call.sessionID === undefined ? '1' : '',
    ...setIf('PATH', searchPath(variables['PATH'] ?? given['PATH'] ?? process.env['PATH'])),
  }
}

/** The search path with our own directory in front, so that an agent's `kugetsu` is the one that started it. */
function searchPath(rest: string | undefined): string | undefined {
  const ours = process.env['KUGETSU_BIN_DIR']
  return [ours, rest].filter((one) => one !== undefined && one !== '').join(path.delimiter) || undefined
}

/**
 * The agent that runs a command. The session decides if it is known, because an agent may run a command in any directory. A
 * sub-agent's session is in no file, so the directory decides.
 */
function agentOf(home: string, { cwd, sessionID }: ShellCall): Agent | undefined {
  const directory = realPath(cwd)
  const worktreeName = firstPart(realPath(path.join(home, 'worktrees')), directory)
  const here = worktreeName === undefined ? undefined : readSession(home, `${worktreeName}.json`)
  const isCaller = (session: SessionFile | undefined) => sessionID !== undefined && session?.sessionId === sessionID
  const ownWorktree = here && path.join(home, 'worktrees', here.name)
  if (here !== undefined && isCaller(here)) return dev(here, ownWorktree)

  const pm = readSession(home, 'pm-agent.json')
  if (isCaller(pm)) return { kind: 'pm-agent', session: undefined }

  const sessions = devSessions(home)
  const caller = sessions.find(isCaller)
  if (caller !== undefined) return dev(caller, caller.worktree)

  if (here !== undefined) return dev(here, ownWorktree)
  const owner = sessions.find(
    (session) => session.worktree !== undefined && isWithin(realPath(session.worktree), directory),
  )
  if (owner !== undefined) return dev(owner, owner.worktree)
  if (worktreeName !== undefined) return { kind: 'dev', session: undefined }
  return isWithin(realPath(path.join(home, 'base')), directory) ? { kind: 'pm-agent', session: undefined } : undefined
}

function dev(session: SessionFile, worktree: string | undefined): Agent {
  return { kind: 'dev', session: { ...session, worktree: session.worktree ?? worktree } }
}

function devSessions(home: string): SessionFile[] {
  const names = attempt(() => fs.readdirSync(path.join(home, 'sessions'))) ?? []
  return names
    .filter((name) => name.endsWith('.json') && name !== 'base.json' && name !== 'pm-agent.json')
    .flatMap((name) => readSession(home, name) ?? [])
}

/** A session file; undefined when it is missing or no session file, because one bad file must not matter to others. */
function readSession(home: string, name: string): SessionFile | undefined {
  const content: unknown = attempt(() => JSON.parse(readText(path.join(home, 'sessions', name)) ?? ''))
  if (typeof content !== 'object' || content === null) return undefined
  const field = (key: string): string | undefined => {
    const value = (content as Record<string, unknown>)[key]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const run = (content as Record<string, unknown>)['run']
  return {
    name: path.basename(name, '.json'),
    sessionId: field('opencode_session_id'),
    issueRef: field('issue_ref'),
    worktree: field('worktree_path'),
    hasRun: typeof run === 'object' && run !== null,
  }
}

/** The name right below `parent` that leads to `directory`. */
function firstPart(parent: string, directory: string): string | undefined {
  return isWithin(parent, directory) ? path.relative(parent, directory).split(path.sep)[0] || undefined : undefined
}

function realPath(directory: string): string {
  return attempt(() => fs.realpathSync(directory)) ?? path.resolve(directory)
}

function setIf(name: string, value: string | undefined): Record<string, string> {
  return value === undefined || value === '' ? {} : { [name]: value }
}

export function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
