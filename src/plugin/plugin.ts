/**
 * The plugin that hands each agent its environment, limits the PM agent to what it may call and read, adds further models
 * that a directory needs, and keeps the server's clock from going back. It is bundled into one file and runs inside
 * opencode's own runtime, in the shared server: plain JavaScript and node modules only. Its settings come from the server's
 * environment (environment.ts sets them). opencode calls it before every shell command of every session.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { credentialVariables, helperVariable } from '../core/credential-helper.ts'
import { pmShellCommand } from '../core/pm-shell.ts'
import { unattended } from '../core/unattended.ts'
import { readByOpencode } from '../opencode/project-files.ts'
import { readText } from '../platform/files.ts'
import { isDevice, letReadersThrough, mayBlock } from '../platform/pipes.ts'
import { isWithin } from '../platform/within.ts'
import { agentVariables, type AgentKind } from '../agents/env-files.ts'
import { addLeftOut, allModels } from './left-out-models.ts'
import { refuseTool } from '../agents/pm-shell/tools.ts'
import { keepClockRising } from './rising-clock.ts'

interface ShellCall {
  cwd: string
  /** Absent when a person opens a terminal in opencode. */
  sessionID?: string
  /** Absent in such a terminal too, and with older versions. */
  callID?: string
}

interface ShellResult {
  env: Record<string, string>
}

interface ToolCall {
  tool: string
  sessionID: string
}

/** The fields of a session file that matter here. */
interface SessionFile {
  name: string
  sessionId: string | undefined
  issueRef: string | undefined
  worktree: string | undefined
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

/** The server's own: with these a command could drive every agent. Commands inherit the environment, so blank them. */
const hidden = { OPENCODE_SERVER_PASSWORD: '', OPENCODE_SERVER_USERNAME: '', OPENCODE_CONFIG_CONTENT: '' }

/**
 * Variables by which a shell, git or a forge's program runs another program. The PM agent gets none of them from the env
 * files, because it may run only the programs of its list. For the other agents the user decides.
 */
const startsPrograms =
  /^(?:BASH_ENV|ENV|ZDOTDIR|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|NODE_OPTIONS|LD_\w+|DYLD_\w+|GIT_EXTERNAL_DIFF|\w*PAGER|\w*EDITOR|VISUAL|\w*BROWSER|LESSOPEN)$/
/** Longer than a step takes from one call of a tool to the next. */
const letThroughMs = 600_000
/** What a shell reads before its first command: the PM agent does not get the user's own either. */
const noStartupFile = { BASH_ENV: '', ENV: '' }

/** Finds commands that outlive the server; set by the starter of the server and never by an env file. */
const marker = 'KUGETSU_SERVER'

/**
 * opencode's entry point. The hook for variables never throws: a failure costs an agent its variables, not its command.
 * The hook before a tool throws the text that an agent reads when its call is refused.
 */
export const KugetsuEnvironment = async (instance: { directory?: string } = {}) => {
  keepClockRising()
  letThrough(instance.directory)
  return hooksFor(instance.directory)
}

/** The hooks of the instance for `directory`; undefined with older versions of opencode, which do not name it. */
const hooksFor = (directory: string | undefined) => ({
  config: async (configuration: Parameters<typeof addLeftOut>[0] & { snapshot?: boolean }): Promise<void> => {
    attempt(() => addLeftOut(configuration, process.env))
    // Snapshots are for /undo, which agents never use. They cost a `git add` of the whole worktree at each step.
    configuration.snapshot ??= false
  },
  'shell.env': async (input: ShellCall, output: ShellResult): Promise<void> => {
    try {
      Object.assign(output.env, environmentFor(input, output.env))
    } catch {
      // Whatever went wrong, the agent must not see the server's password.
    }
    Object.assign(output.env, hidden, allModels(process.env))
  },
  'tool.execute.before': async (input: ToolCall, output: { args: unknown }): Promise<void> => {
    const args = (output.args ?? {}) as Record<string, unknown>
    const home = process.env['KUGETSU_DIR'] ?? ''
    const problem = isPmAgent(home, input.sessionID)
      ? refuseTool(home, path.join(home, 'base'), input.tool, args)
      : refusedToOthers(home, input, args)
    const reason =
      problem ??
      filesOf(args)
        .map((file) => blocking(directory, file))
        .find(Boolean)
    if (reason === undefined) return
    const what = input.tool === 'bash' ? 'command' : 'call'
    throw new Error(`kugetsu refused this ${what}, and nothing of it was run: ${reason}.`)
  },
  'tool.execute.after': async (): Promise<void> => letThrough(directory),
})

/**
 * Keeps opencode from waiting at a pipe that replaces a file it reads by itself, and from reading a device there: a tool may
 * have made one just now. A device, or a link to one, gets another name.
 */
function letThrough(directory: string | undefined): void {
  if (directory === undefined) return
  const files = readByOpencode(directory)
  for (const file of files.filter(isDevice)) attempt(() => fs.renameSync(file, `${file}.device`))
  letReadersThrough(files, letThroughMs)
}

/**
 * Why a tool must not open its file. opencode opens it in one of the few threads that all agents of the server share; at a
 * pipe that thread would wait for ever.
 */
function blocking(directory: string | undefined, file: string): string | undefined {
  const full = path.resolve(directory ?? '/', file)
  if (mayBlock(full)) return `${file} is a pipe or a device, and opening it could wait for ever`
  if (directory !== undefined) letReadersThrough(readByOpencode(directory, full), letThroughMs)
  return undefined
}

/** The files that a call of a tool is to open; those of a patch are named in it. */
function filesOf(args: Record<string, unknown>): string[] {
  const patch = typeof args['patchText'] === 'string' ? args['patchText'] : ''
  const inPatch = [...patch.matchAll(/^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$/gm)].map(
    ([, file = '']) => file,
  )
  return [args['filePath'], args['path'], ...inPatch].filter((file) => typeof file === 'string')
}

/**
 * opencode's rules let the PM agent call the runner, and the plugin puts the PM agent's commands behind the runner. When the
 * session file of the PM agent is gone, the plugin cannot do that, so a call by hand is refused.
 */
function refusedToOthers(
  home: string,
  { tool, sessionID }: ToolCall,
  args: Record<string, unknown>,
): string | undefined {
  if (tool !== 'bash' || home === '' || !String(args['command']).includes(`kugetsu ${pmShellCommand}`)) return undefined
  const isDev = devSessions(home).some((session) => session.sessionId === sessionID)
  return isDev ? undefined : `kugetsu ${pmShellCommand} is not called by hand`
}

function isPmAgent(home: string, sessionId: string): boolean {
  return home !== '' && readSession(home, 'pm-agent.json')?.sessionId === sessionId
}

function environmentFor(call: ShellCall, given: Record<string, string>): Record<string, string> {
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
  return {
    name: path.basename(name, '.json'),
    sessionId: field('opencode_session_id'),
    issueRef: field('issue_ref'),
    worktree: field('worktree_path'),
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

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
