/** The routes of opencode 2's HTTP API that kugetsu uses. */
import * as z from 'zod/mini'
import type { Endpoint } from '../../driver/client.ts'
import { createRequests, firstRequestMs, unlessMissing } from '../../opencode/api/requests.ts'
import * as schemas from './schemas.ts'

export type Routes = ReturnType<typeof createRoutes>

/** As many as the server gives at once. */
const pageLength = 200

/** The parameters of a new session. */
interface NewSession {
  id: string
  title: string
  directory: string
  agent?: string | undefined
  metadata?: Record<string, string>
  permissions?: unknown[]
}

/** The routes of the server at `endpoint`; they throw what createRequests() says. */
export function createRoutes(endpoint: Endpoint, caller?: AbortSignal) {
  const { request, ask } = createRequests(endpoint, caller, 'location[directory]')

  /** For the many answers with their result in `data`. */
  async function dataOf<T>(schema: z.ZodMiniType<T>, ...args: Parameters<typeof request>): Promise<T> {
    return (await ask(z.looseObject({ data: schema }), ...args)).data as T
  }

  const first = (directory: string) => ({ directory, timeoutMs: firstRequestMs })

  return {
    info: (timeoutMs: number) => ask(schemas.info, 'GET', '/api/info', { timeoutMs }),
    /** The server's own description of its routes: the methods by path. */
    openapi: () => ask(z.looseObject({ paths: z.record(z.string(), z.looseObject({})) }), 'GET', '/openapi.json'),

    plugins: (directory: string) => dataOf(z.array(schemas.plugin), 'GET', '/api/plugin', first(directory)),
    agents: (directory: string) => dataOf(z.array(schemas.agent), 'GET', '/api/agent', first(directory)),
    models: (directory: string) => dataOf(z.array(schemas.model), 'GET', '/api/model', first(directory)),
    /** From lowest to highest priority. */
    configuration: (directory: string) => ask(z.array(schemas.configuration), 'GET', '/api/config', first(directory)),
    mcpServers: (directory: string) => dataOf(z.array(schemas.mcpServer), 'GET', '/api/mcp', first(directory)),
    /** Drops everything that the server has loaded for a directory. A run there goes on. */
    evict: (directory: string) => request('DELETE', '/api/debug/location', { directory }),

    /** Makes a session; an existing one stays as it is. */
    createSession: ({ directory, ...given }: NewSession) =>
      dataOf(schemas.session, 'POST', '/api/session', { body: { ...given, location: { directory } } }),
    session: (id: string) => unlessMissing(dataOf(schemas.session, 'GET', `/api/session/${id}`)),
    /** The sessions of a session's sub-agents. */
    children: (id: string) =>
      dataOf(z.array(schemas.session), 'GET', `/api/session?parentID=${id}&limit=${pageLength}`),
    update: (id: string, changes: { title: string; permissions: unknown[] }) =>
      request('PATCH', `/api/session/${id}`, { body: changes }),
    setAgent: (id: string, agent: string) => request('POST', `/api/session/${id}/agent`, { body: { agent } }),
    setModel: (id: string, model: object) => request('POST', `/api/session/${id}/model`, { body: { model } }),
    /** Makes a session work in another directory, from the end of its current step on. */
    move: (id: string, directory: string) =>
      request('POST', `/api/session/${id}/move`, { body: { directory }, timeoutMs: firstRequestMs }),
    /** Returns once a session is idle. */
    wait: (id: string) => request('POST', `/api/experimental/session/${id}/wait`),
    remove: (id: string) => unlessMissing(request('DELETE', `/api/session/${id}`)),
    /** Adds a text to the system prompt of a session, or replaces it. */
    instruct: (id: string, text: string) =>
      request('PUT', `/api/experimental/session/${id}/instructions/entries/kugetsu`, {
        body: { value: text },
        timeoutMs: firstRequestMs,
      }),

    /** Sends a prompt; it joins the run of a busy session. The same id again makes no second one. */
    prompt: (id: string, { messageId, text }: { messageId: string; text: string }) =>
      request('POST', `/api/session/${id}/prompt`, { body: { id: messageId, text, delivery: 'steer' } }),
    /** Ends the run of a session, its commands, and the sub-agents that it waits for. */
    interrupt: (id: string) => unlessMissing(request('POST', `/api/session/${id}/interrupt`)),
    /** The ids of the sessions at work, in all directories. */
    active: async () =>
      new Set(Object.keys(await dataOf(z.record(z.string(), z.unknown()), 'GET', '/api/session/active'))),
    inbox: async (id: string) =>
      (await unlessMissing(dataOf(z.array(schemas.inboxItem), 'GET', `/api/session/${id}/inbox`))) ?? [],
    message: (id: string, messageId: string) =>
      unlessMissing(dataOf(schemas.message, 'GET', `/api/session/${id}/message/${messageId}`)),
    /** The last messages of a session in order; undefined when there is no such session. */
    tail: async (id: string, length: number) =>
      (
        await unlessMissing(
          dataOf(z.array(schemas.message), 'GET', `/api/session/${id}/message?order=desc&limit=${length}`),
        )
      )?.toReversed(),
    /** All messages of a session in order; undefined when there is no such session. */
    messages: async (id: string): Promise<schemas.Message[] | undefined> => {
      const all: schemas.Message[] = []
      for (let from = 'order=asc'; ;) {
        const page = await unlessMissing(
          ask(messagePage, 'GET', `/api/session/${id}/message?limit=${pageLength}&${from}`),
        )
        if (page === undefined) return undefined
        all.push(...page.data)
        const { next } = page.cursor
        if (page.data.length < pageLength || typeof next !== 'string') return all
        from = `cursor=${encodeURIComponent(next)}`
      }
    },

    permissions: (directory: string) =>
      dataOf(z.array(schemas.permissionRequest), 'GET', '/api/permission/request', { directory }),
    replyPermission: (sessionId: string, id: string, decision: 'once' | 'reject', message?: string) =>
      request('POST', `/api/session/${sessionId}/permission/${id}/reply`, {
        body: { decision, ...(message === undefined ? {} : { message }) },
      }),
    forms: (directory: string) => dataOf(z.array(schemas.form), 'GET', '/api/form', { directory }),
    replyForm: (sessionId: string, id: string, answer: Record<string, string>) =>
      request('POST', `/api/session/${sessionId}/form/${id}/reply`, { body: { answer } }),
    cancelForm: (sessionId: string, id: string) => request('DELETE', `/api/session/${sessionId}/form/${id}`),
  }
}

const messagePage = z.looseObject({
  data: z.array(schemas.message),
  cursor: z.looseObject({ next: z.nullish(z.string()) }),
})
