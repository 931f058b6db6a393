/** A running opencode 2 as a driver's client. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../config/home.ts'
import { KugetsuError } from '../core/errors.ts'
import { plainLine } from '../core/plain-text.ts'
import type { Ask, Client, Endpoint, Prompt } from '../driver/client.ts'
import { infoOf } from './agent-info.ts'
import { followEvents } from './api/events.ts'
import { observeSession, retryIn } from './api/observe.ts'
import { createRoutes, type Routes } from './api/routes.ts'
import type { Configuration, Form, ModelRef } from './api/schemas.ts'
import { toldBy } from './entries.ts'
import { pluginEntry } from './launch.ts'
import { outputsOf } from './outputs.ts'
import { createPrimed, fork, place, whenGuarded } from './sessions.ts'

/** The provider that opencode itself offers without a login. */
const freeProvider = 'opencode'
const refusedByDefault = 'kugetsu refused this by policy: no person is there to grant it.'

export function connect(home: Home, endpoint: Endpoint, signal: AbortSignal | undefined): Client {
  const routes = createRoutes(endpoint, signal)
  const guard = { file: pluginEntry(home), signal }
  /** Before a directory is loaded, opencode gives wrong answers about it, or none. */
  const loaded = async (directory: string) => {
    await whenGuarded(routes, directory, guard)
    return routes
  }

  return {
    isUp: async (timeoutMs) => {
      try {
        await routes.info(timeoutMs)
        return true
      } catch {
        signal?.throwIfAborted()
        return false
      }
    },
    warmUp: async (directory) => void (await loaded(directory)),
    close: async (directory) => {
      for (const id of await atWorkIn(routes, directory)) await routes.interrupt(id)
      await routes.evict(directory)
    },
    agents: async (directory) => (await (await loaded(directory)).agents(directory)).map(infoOf),
    defaults: async (directory) => defaultsIn(await (await loaded(directory)).configuration(directory)),
    usable: async (directory) => {
      const models = (await (await loaded(directory)).models(directory)).filter(({ enabled }) => enabled !== false)
      const names = new Set(models.map(({ providerID, id }) => `${providerID}/${id}`))
      const providers = [...new Set(models.map(({ providerID }) => providerID))]
      return {
        providers,
        has: (model) => names.has(model.split('#')[0] ?? ''),
        isOnlyFree: providers.every((id) => id === freeProvider),
      }
    },
    mcpTrouble: (directory, patienceMs) => mcpTrouble(routes, directory, patienceMs, signal),

    createPrimed: (directory, session) => createPrimed(routes, directory, session, guard),
    fork: (base) => fork(routes, base),
    place: (id, target) => place(routes, id, target, guard),
    has: async (id) => (await routes.session(id)) !== undefined,
    remove: async (id) => void (await routes.remove(id)),
    outputsOf: (id) => outputsOf(home, routes, id),

    prompt: async (id, directory, prompt) => {
      await whenGuarded(routes, directory, guard)
      await choose(routes, id, prompt)
      await routes.prompt(id, prompt)
    },
    hasMessage: async (id, _, messageId) => {
      const waits = (await routes.inbox(id)).some((item) => item.id === messageId)
      return waits || (await routes.message(id, messageId)) !== undefined
    },
    interrupt: async (id) => {
      await routes.interrupt(id)
      // A sub-agent that its agent no longer waits for works on.
      const active = await routes.active()
      if (active.size === 0) return
      for (const child of await routes.children(id)) if (active.has(child.id)) await routes.interrupt(child.id)
    },
    observe: (id, _, promptIds) => observeSession(routes, id, promptIds),
    retryOf: async (id) => ((await routes.active()).has(id) ? retryIn((await routes.tail(id, 5)) ?? []) : undefined),
    isAtWork: async (id) => (await routes.active()).has(id),
    isBusy: async (directory) => (await atWorkIn(routes, directory)).length > 0,
    transcript: async (id) => (await routes.messages(id))?.flatMap((message) => toldBy(message, id) ?? []),

    asks: async (directory) => {
      const permissions = (await routes.permissions(directory)).map(
        ({ id, sessionID: sessionId, action: permission, resources: patterns = [] }): Ask => {
          return { id, sessionId, kind: 'permission', permission, patterns }
        },
      )
      const questions = (await routes.forms(directory)).map(({ id, sessionID: sessionId }): Ask => {
        return { id, sessionId, kind: 'question', permission: 'question', patterns: [] }
      })
      return [...permissions, ...questions]
    },
    answer: async ({ id, sessionId, kind }, directory, answer) => {
      const text = (answer === 'once' ? undefined : answer.refused) ?? refusedByDefault
      if (kind === 'question') await refuseForm(routes, directory, { id, sessionId, text })
      else if (answer === 'once') await routes.replyPermission(sessionId, id, 'once')
      // Without a text opencode would end the run.
      else await routes.replyPermission(sessionId, id, 'reject', text)
    },
    follow: (handlers, until) => followEvents(endpoint, handlers, until),
  }
}

async function atWorkIn(routes: Routes, directory: string): Promise<string[]> {
  const sessions = await Promise.all([...(await routes.active())].map((id) => routes.session(id)))
  return sessions.flatMap((session) => (session?.location.directory === directory ? [session.id] : []))
}

/** Sets the agent and the model of a session where they differ: a prompt names neither. */
async function choose(routes: Routes, id: string, { agent, model }: Prompt): Promise<void> {
  if (agent === undefined && model === undefined) return
  const session = await routes.session(id)
  if (agent !== undefined && session?.agent !== agent) await routes.setAgent(id, agent)
  if (model !== undefined && nameOf(session?.model) !== model) await routes.setModel(id, refOf(model))
}

/** `provider/model`, and `#variant` when it is not the default one. */
function nameOf(model: ModelRef | undefined): string | undefined {
  if (model === undefined) return undefined
  const { variant } = model
  return `${model.providerID}/${model.id}${typeof variant === 'string' && variant !== 'default' ? `#${variant}` : ''}`
}

function refOf(model: string): object {
  const [, providerID, id, variant] = /^([^/]+)\/([^#]+)(?:#(.+))?$/.exec(model) ?? []
  if (providerID === undefined || id === undefined) {
    throw new KugetsuError(`not a model: ${model}`, {
      hint: 'Name it as provider/model, as "opencode models" lists them.',
    })
  }
  return { providerID, id, ...(variant === undefined ? {} : { variant }) }
}

/** The last document that says something counts. */
function defaultsIn(documents: Configuration[]): { model?: string | undefined; agent?: string | undefined } {
  const infos = documents.map(({ info }) => info)
  const model = infos.findLast((info) => info?.model !== undefined)?.model
  const agent = infos.findLast((info) => info?.default_agent !== undefined)?.default_agent
  if (model === undefined || typeof model === 'string') return { model, agent }
  const variant = model.variant === undefined ? '' : `#${model.variant}`
  return { model: `${model.providerID}/${model.model}${variant}`, agent }
}

/** Answers each question with the refusal, because cancelling the form would end the run. */
async function refuseForm(
  routes: Routes,
  directory: string,
  { id, sessionId, text }: { id: string; sessionId: string; text: string },
): Promise<void> {
  const form = (await routes.forms(directory)).find((each) => each.id === id)
  const answer = form && answerOf(form, text)
  const isTold = answer !== undefined && (await succeeds(routes.replyForm(sessionId, id, answer)))
  if (!isTold) await routes.cancelForm(sessionId, id)
}

function answerOf({ fields = [] }: Form, text: string): Record<string, string> | undefined {
  const isFree = fields.every(({ type, custom }) => type === 'string' && custom !== false)
  return isFree ? Object.fromEntries(fields.map(({ key }) => [key, text])) : undefined
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}

async function mcpTrouble(
  routes: Routes,
  directory: string,
  patienceMs: number,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const until = performance.now() + patienceMs
  for (;;) {
    const servers = await routes.mcpServers(directory)
    const isPending = servers.some(({ status }) => status.status === 'pending')
    if (!isPending || performance.now() > until) {
      return servers.flatMap(({ name, status: { status, error } }) => {
        if (status === 'connected' || status === 'disabled') return []
        if (status === 'pending') {
          return [`MCP server "${plainLine(name, 60)}" has not answered for ${patienceMs / 1000} s`]
        }
        const why = error === undefined ? '' : `: ${plainLine(error, 200)}`
        return [
          `MCP server "${plainLine(name, 60)}" is not connected (${plainLine(status, 40).replaceAll('_', ' ')}${why})`,
        ]
      })
    }
    await sleep(200, undefined, { signal })
  }
}
