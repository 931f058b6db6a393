/** The routes of opencode's HTTP API that kugetsu uses, the same on every version from 1.2 on. */
import * as z from 'zod/mini'
import { KugetsuError } from '../../core/errors.ts'
import { answeredModels } from './answered-models.ts'
import { readByOpencode } from '../project-files.ts'
import type { Endpoint, Prompt } from '../../driver/client.ts'
import {
  createRequests,
  failureOf,
  firstRequestMs,
  isNotFound,
  requireNoDevice,
  unlessMissing as unless,
} from './requests.ts'
import {
  agent,
  configuration,
  health,
  mcpServers,
  message,
  permissionRequest,
  project,
  providers,
  session,
  sessionStatus,
  type Message,
} from './schemas.ts'

export type Routes = ReturnType<typeof createRoutes>

/** The routes of the server at `endpoint`; they throw what createRequests() says. */
export function createRoutes(endpoint: Endpoint, caller?: AbortSignal) {
  const { request, ask } = createRequests(endpoint, caller, 'directory')

  return {
    /**
     * Whether an opencode of version 1 answers and takes our password. What it answers decides, not the status: version 2
     * answers any address with a page. Throws when aborted, because that says nothing about the server.
     */
    async isUp(timeoutMs: number): Promise<boolean> {
      try {
        await ask(health, 'GET', '/global/health', { timeoutMs })
        return true
      } catch (error) {
        caller?.throwIfAborted()
        return isMissing(error) && (await succeeds(ask(z.array(session), 'GET', '/session?limit=1', { timeoutMs })))
      }
    },
    /**
     * opencode's configuration in that directory. Without a `model` (`provider/model`) opencode chooses one itself; a forked
     * session would go on with the model of the session it was forked from.
     */
    configuration: (directory: string) =>
      ask(configuration, 'GET', '/config', { directory, timeoutMs: firstRequestMs }),
    /** opencode's agents in that directory, the default one first. */
    agents: (directory: string) => ask(z.array(agent), 'GET', '/agent', { directory, timeoutMs: firstRequestMs }),
    /** The providers that opencode can use in that directory. */
    providers: (directory: string) =>
      ask(providers, 'GET', '/config/providers', { directory, timeoutMs: firstRequestMs }),
    /** All providers that opencode knows, with what it knows of their models. */
    allProviders: (directory: string) => ask(answeredModels, 'GET', '/provider', { directory }),
    /** The MCP servers there, by name. opencode answers once all of them have answered or taken too long. */
    mcpServers: async (directory: string, timeoutMs: number) =>
      (await unlessMissing(ask(mcpServers, 'GET', '/mcp', { directory, timeoutMs }))) ?? {},
    project: (directory: string) => ask(project, 'GET', '/project/current', { directory, timeoutMs: firstRequestMs }),
    createSession: (directory: string, title: string) =>
      ask(session, 'POST', '/session', { directory, body: { title }, timeoutMs: firstRequestMs }),
    fork: (id: string, directory: string) => ask(session, 'POST', `/session/${id}/fork`, { directory, body: {} }),
    session: (id: string, directory: string) => unlessMissing(ask(session, 'GET', `/session/${id}`, { directory })),
    /** The sessions of a session's sub-agents. */
    children: async (id: string, directory: string) =>
      (await unlessMissing(ask(z.array(session), 'GET', `/session/${id}/children`, { directory }))) ?? [],
    /** Sets the title. Versions before 1.14 ignore it, which is harmless. */
    rename: (id: string, directory: string, title: string) =>
      request('PATCH', `/session/${id}`, { directory, body: { title } }),
    deleteSession: (id: string, directory: string) => unlessMissing(request('DELETE', `/session/${id}`, { directory })),
    /**
     * Sends a prompt; returns as soon as the server has it. The agent works in the session's own directory. With `noReply`
     * the message is added without calling the model.
     */
    async prompt(id: string, directory: string, prompt: Prompt, { noReply = false } = {}): Promise<void> {
      const body = {
        messageID: prompt.messageId,
        parts: [{ type: 'text', text: prompt.text }],
        ...(prompt.model === undefined ? {} : { model: modelOf(prompt.model) }),
        ...(prompt.agent === undefined ? {} : { agent: prompt.agent }),
        ...(noReply ? { noReply } : {}),
      }
      await request('POST', `/session/${id}/prompt_async`, { directory, body, timeoutMs: firstRequestMs })
    },
    /**
     * Makes the server load the models and the files before its first prompt in `directory`. Loading takes most of the
     * second between that prompt and its request to the model. A server that cannot load ahead loads at the prompt.
     */
    async warmUp(directory: string): Promise<void> {
      requireNoDevice(readByOpencode(directory))
      await Promise.allSettled(
        ['/config/providers', '/file?path=.'].map((route) => request('GET', route, { directory })),
      )
    },
    /** Stops the agent and ends the command it runs. */
    abort: (id: string, directory: string) => unlessMissing(request('POST', `/session/${id}/abort`, { directory })),
    /** The busy sessions of that directory; an idle one is absent. */
    statuses: (directory: string) => ask(z.record(z.string(), sessionStatus), 'GET', '/session/status', { directory }),
    /** The messages of a session in order, all or the last `limit`; undefined when there is no such session. */
    messages: (id: string, directory: string, limit?: number): Promise<Message[] | undefined> =>
      unlessMissing(
        ask(z.array(message), 'GET', `/session/${id}/message${limit === undefined ? '' : `?limit=${limit}`}`, {
          directory,
        }),
      ),
    /** Closes what the server has open for that directory: file watchers, language servers. Ends agents at work there. */
    disposeInstance: (directory: string) => request('POST', '/instance/dispose', { directory }),
    permissions: (directory: string) => ask(z.array(permissionRequest), 'GET', '/permission', { directory }),
    replyPermission: (id: string, directory: string, reply: 'once' | 'reject', text?: string) =>
      request('POST', `/permission/${id}/reply`, {
        directory,
        body: { reply, ...(text === undefined ? {} : { message: text }) },
      }),
    questions: (directory: string) =>
      ask(z.array(z.looseObject({ id: z.string(), sessionID: z.string() })), 'GET', '/question', { directory }),
    rejectQuestion: (id: string, directory: string) =>
      request('POST', `/question/${id}/reject`, { directory, body: {} }),
  }
}

function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  return unless(work, isMissing)
}

function isMissing(error: unknown): boolean {
  return isNotFound(error) || /NotFound/.test(failureOf(error)?.message ?? '')
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}

function modelOf(model: string): { providerID: string; modelID: string } {
  const slash = model.indexOf('/')
  if (slash < 1 || slash === model.length - 1) {
    throw new KugetsuError(`not a model: ${model}`, {
      hint: 'Name it as provider/model, as "opencode models" lists them.',
    })
  }
  return { providerID: model.slice(0, slash), modelID: model.slice(slash + 1) }
}
