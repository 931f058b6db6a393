/** A running opencode 1.x as a driver's client. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../config/home.ts'
import { KugetsuError } from '../core/errors.ts'
import { anotherStepFollows } from '../core/run-outcome.ts'
import type { Client, Endpoint } from '../driver/client.ts'
import { newMessageId } from '../driver/message-id.ts'
import { infoOf } from './agent-info.ts'
import { followEvents } from './api/events.ts'
import { isWhole, observeSession } from './api/observe.ts'
import { createRoutes, type Routes } from './api/routes.ts'
import { retryIn } from './api/schemas.ts'
import { databasePath } from './database.ts'
import { toldBy } from './entries.ts'
import { freeProvider } from './models/in-use.ts'
import { forkBase, moveSession } from './fork.ts'
import { mcpTrouble } from './mcp-servers.ts'
import { toolOutputsOf } from './tool-output.ts'

const primingMs = 60_000

export function connect(home: Home, endpoint: Endpoint, signal: AbortSignal | undefined): Client {
  const routes = createRoutes(endpoint, signal)
  return {
    isUp: routes.isUp,
    warmUp: routes.warmUp,
    close: async (directory) => void (await routes.disposeInstance(directory)),
    agents: async (directory) => (await routes.agents(directory)).map(infoOf),
    defaults: async (directory) => {
      const { model, default_agent: agent } = await routes.configuration(directory)
      return { model, agent }
    },
    usable: async (directory) => {
      const { providers } = await routes.providers(directory)
      return {
        providers: providers.map(({ id }) => id),
        has: (model) => isAmong(providers, model),
        isOnlyFree: providers.every(({ id }) => id === freeProvider),
      }
    },
    mcpTrouble: (directory, patienceMs) => mcpTrouble(routes, directory, patienceMs),

    createPrimed: async (directory, { title, text, agent }) => {
      const { id } = await routes.createSession(directory, title)
      try {
        await prime(home, routes, { id, directory, text, agent, signal })
        return id
      } catch (error) {
        await createRoutes(endpoint)
          .deleteSession(id, directory)
          .catch(() => {})
        throw error
      }
    },
    fork: (base, near) => forkBase(routes, base, near),
    place: (id, target) => moveSession(routes, id, target, databasePath(home.env, home.userHome)),
    has: async (id, near) => (await routes.session(id, near)) !== undefined,
    remove: async (id, near) => void (await routes.deleteSession(id, near)),
    outputsOf: (id, near) => toolOutputsOf(home, routes, { id, directory: near }),

    prompt: (id, directory, prompt) => routes.prompt(id, directory, prompt),
    hasMessage: async (id, directory, messageId) => {
      const messages = (await routes.messages(id, directory)) ?? []
      return messages.some((message) => message.info.id === messageId && isWhole(message))
    },
    interrupt: async (id, directory) => void (await routes.abort(id, directory)),
    observe: (id, directory, promptIds) => observeSession(routes, id, directory, promptIds),
    retryOf: async (id, directory) => retryIn((await routes.statuses(directory))[id]),
    isAtWork: async (id, { directory, near }) => {
      const last = (await routes.messages(id, near, 1))?.at(-1)?.info
      if (last === undefined) return false
      const isOver = last.role === 'assistant' && last.time?.completed !== undefined
      if (isOver && (last.error !== undefined || !anotherStepFollows(last.finish))) return false
      const status = (await routes.statuses(directory))[id]
      return status !== undefined && status.type !== 'idle'
    },
    isBusy: async (directory) => Object.keys(await routes.statuses(directory)).length > 0,
    transcript: async (id, directory) => (await routes.messages(id, directory))?.map(toldBy),

    asks: async (directory) => {
      const permissions = (await routes.permissions(directory)).map(({ id, sessionID, permission, patterns }) => ({
        kind: 'permission' as const,
        id,
        sessionId: sessionID,
        permission: permission ?? 'something',
        patterns: patterns ?? [],
      }))
      // Older versions have no questions.
      const questions = (await routes.questions(directory).catch(() => [])).map(({ id, sessionID }) => ({
        kind: 'question' as const,
        id,
        sessionId: sessionID,
        permission: 'question',
        patterns: [],
      }))
      return [...permissions, ...questions]
    },
    answer: async ({ id, kind }, directory, answer) => {
      if (kind === 'question') await routes.rejectQuestion(id, directory)
      else if (answer === 'once') await routes.replyPermission(id, directory, 'once')
      else await routes.replyPermission(id, directory, 'reject', answer.refused)
    },
    follow: (handlers, until) => followEvents(endpoint, handlers, until),
  }
}

/**
 * Gives a session its first message without calling the model, and waits until the message is stored: a fork copies
 * only stored messages.
 */
async function prime(
  home: Home,
  routes: Routes,
  first: { id: string; directory: string; text: string; agent: string | undefined; signal: AbortSignal | undefined },
): Promise<void> {
  const { id, directory, text, agent, signal } = first
  const messageId = newMessageId(home.now())
  await routes.prompt(id, directory, { messageId, text, agent }, { noReply: true })
  const until = performance.now() + primingMs
  for (;;) {
    const messages = await routes.messages(id, directory)
    if (messages?.some(({ info, parts }) => info.id === messageId && parts.length > 0)) return
    if (performance.now() > until) {
      throw new KugetsuError('opencode did not take the first message of a session', {
        hint: `See ${home.paths.serverLog}: is a model configured ("opencode models")?`,
        code: 'priming_failed',
      })
    }
    await sleep(25, undefined, { signal })
  }
}

function isAmong(providers: { id: string; models: object }[], model: string): boolean {
  const slash = model.indexOf('/')
  const provider = providers.find(({ id }) => id === model.slice(0, slash))
  return provider !== undefined && Object.hasOwn(provider.models, model.slice(slash + 1))
}
