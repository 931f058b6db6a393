/**
 * The plugin for opencode 2: what plugin.ts is for opencode 1, by the same rules. There is an instance for each directory,
 * and so for each agent with its sub-agents.
 */
import { homedir } from 'node:os'
import { note } from '../activity/journal.ts'
import { permissionAnswer, permissionDenial } from '../agents/permissions.ts'
import { pathsOf } from '../config/paths.ts'
import { loadSettings } from '../config/settings.ts'
import { atWork, environmentFor } from './agent-environment.ts'
import { letThrough, refusalOf } from './guard.ts'

/** What opencode hands to a plugin, as far as it is used here. Each hook may change the event. */
interface Context {
  location: { directory: string }
  shell: Hooks<{ 'create.before': ShellEvent }>
  tool: Hooks<{ 'execute.before': ToolEvent; 'execute.after': ToolEvent }>
  permission: Hooks<{ evaluate: PermissionEvent }>
}

interface Hooks<Events> {
  hook: <Name extends keyof Events>(name: Name, heed: (event: Events[Name]) => void) => Promise<unknown>
}

interface ShellEvent {
  command: string
  cwd: string
  timeout: number
  env: Record<string, string>
}

interface ToolEvent {
  tool: string
  sessionID: string
  /** Of the call. */
  id: string
  input: Record<string, unknown>
  /** After a call that has failed. */
  error?: { message: string; error?: unknown }
}

interface PermissionEvent {
  sessionID: string
  /** The call that asks. */
  source?: { id?: string }
  action: string
  resources: readonly string[]
  effect: 'allow' | 'deny' | 'ask'
  /** What the agent reads when it is refused. */
  message?: string
}

/** The server's own: with these a command could drive every agent. */
const hidden = [
  'OPENCODE_PASSWORD',
  'OPENCODE_SERVER_PASSWORD',
  'OPENCODE_SERVER_USERNAME',
  'OPENCODE_CONFIG_CONTENT',
  'OPENCODE_DB',
]

/** opencode 2 has other names for two tools than opencode 1. */
const olderNames: Record<string, string> = { shell: 'bash', subagent: 'task' }

export const kugetsuEnvironment = {
  id: 'kugetsu.environment',
  setup: async (context: Context): Promise<void> => {
    const { directory } = context.location
    /** The commands about to run: opencode does not say which session runs a command when it asks for its variables. */
    const called: ToolEvent[] = []
    /** The texts for agents about refused calls, by call. */
    const refusals = new Map<string, string>()
    letThrough(directory)

    await context.tool.hook('execute.before', (event) => {
      const { tool, sessionID, input } = event
      // The end of a command in the background would wake a session after its run.
      if (input['background'] === true) input['background'] = false
      refuse(directory, { tool, sessionID, input })
      // The event itself: a plugin after this one may change its command.
      if (tool === 'shell') called.push(event)
    })
    await context.tool.hook('execute.after', ({ id, error }) => {
      const at = called.findIndex((each) => each.id === id)
      if (at !== -1) called.splice(at, 1)
      const refusal = refusals.get(id)
      refusals.delete(id)
      // opencode gives the reason to the model itself, but not with the tools of MCP servers.
      if (refusal !== undefined && error !== undefined && error.error === undefined) error.message = refusal
      letThrough(directory)
    })
    await context.shell.hook('create.before', (event) => {
      const { env } = event
      const call = takeCall(called, event, directory)
      try {
        const whose = call === undefined ? {} : { sessionID: call.sessionID, callID: call.id }
        Object.assign(env, environmentFor({ cwd: directory, ...whose }, env))
      } catch {
        // Whatever went wrong, the agent must not see the server's password.
      }
      for (const name of hidden) delete env[name]
    })
    await context.permission.hook('evaluate', (event) => {
      const refusal = decide(directory, event)
      if (refusal === undefined) return
      event.message = refusal
      if (event.source?.id !== undefined) refusals.set(event.source.id, refusal)
    })
  },
}

/**
 * The call of the command about to run, taken out of `called`; undefined when a person runs it. Two calls at the same
 * moment with the same command, directory and timeout may be confused. This does no harm: all sessions in a directory
 * are those of one agent and its sub-agents, which have the same variables, and the daemon ends the processes that
 * outlive either call at the same time.
 */
function takeCall(
  called: ToolEvent[],
  { command, cwd, timeout }: ShellEvent,
  directory: string,
): ToolEvent | undefined {
  const likeness = ({ input }: ToolEvent) =>
    ((input['workdir'] ?? directory) === cwd ? 3 : 0) +
    (input['timeout'] === timeout ? 2 : input['timeout'] === undefined ? 1 : 0)
  const alike = called.filter(({ input }) => input['command'] === command)
  const [call] = alike.toSorted((one, other) => likeness(other) - likeness(one))
  if (call !== undefined) called.splice(called.indexOf(call), 1)
  return call
}

/** Throws the text that an agent reads when its call is refused. A command of the PM agent is changed in `input`. */
function refuse(directory: string, call: Pick<ToolEvent, 'tool' | 'sessionID' | 'input'>): void {
  const { input } = call
  const args: Record<string, unknown> = {
    ...input,
    filePath: input['path'],
    patchText: input['patch'] ?? input['patchText'],
  }
  const refusal = refusalOf(directory, { tool: olderNames[call.tool] ?? call.tool, sessionID: call.sessionID }, args)
  if (refusal !== undefined) throw new Error(refusal)
  if ('command' in input) input['command'] = args['command']
}

/**
 * Answers requests at once that would wait for a person, while the agent has a run, and notes them: by
 * PERMISSION_POLICY, as the daemon does it for opencode 1. The texts of later answers are lost on some tools. Returns
 * the text for the agent about a refusal.
 */
function decide(directory: string, event: PermissionEvent): string | undefined {
  const home = process.env['KUGETSU_DIR'] ?? ''
  if (event.effect !== 'ask' || home === '') return undefined
  const agent = atWork(home, { cwd: directory, sessionID: event.sessionID })
  if (agent === undefined) return undefined
  const paths = pathsOf(home)
  const policy = policyOf(paths.config)
  const request = { permission: event.action, patterns: event.resources }
  event.effect = policy === 'allow' ? 'allow' : 'deny'
  const reason = permissionAnswer(policy, request)
  note({ paths, env: process.env, now: () => new Date() }, 'permission', { issue_ref: agent, reason })
  return policy === 'allow' ? undefined : permissionDenial(request)
}

function policyOf(configFile: string): 'reject' | 'allow' {
  try {
    return loadSettings({ configFile, env: process.env, userHome: homedir() }).permissionPolicy
  } catch {
    return 'reject'
  }
}
