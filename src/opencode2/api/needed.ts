/** The operations that kugetsu cannot do without, compared with a server's own description. */
import { KugetsuError } from '../../core/errors.ts'
import type { Routes } from './routes.ts'

const needed = [
  'GET /api/plugin',
  'GET /api/agent',
  'GET /api/model',
  'GET /api/config',
  'GET /api/event',
  'DELETE /api/debug/location',
  'GET /api/session',
  'POST /api/session',
  'GET /api/session/active',
  'GET /api/session/{sessionID}',
  'PATCH /api/session/{sessionID}',
  'DELETE /api/session/{sessionID}',
  'POST /api/session/{sessionID}/agent',
  'POST /api/session/{sessionID}/model',
  'POST /api/session/{sessionID}/move',
  'POST /api/session/{sessionID}/prompt',
  'POST /api/session/{sessionID}/interrupt',
  'GET /api/session/{sessionID}/inbox',
  'GET /api/session/{sessionID}/message',
  'GET /api/session/{sessionID}/message/{messageID}',
  'POST /api/experimental/session/{sessionID}/wait',
  'PUT /api/experimental/session/{sessionID}/instructions/entries/{key}',
  'GET /api/permission/request',
  'POST /api/session/{sessionID}/permission/{requestID}/reply',
  'GET /api/form',
  'POST /api/session/{sessionID}/form/{formID}/reply',
  'DELETE /api/session/{sessionID}/form/{formID}',
]

/** Throws KugetsuError `opencode_unsupported` when a server lacks one of them. */
export async function requireOperations(routes: Routes): Promise<void> {
  const { paths } = await routes.openapi()
  const missing = missingIn(paths)
  if (missing.length === 0) return
  const { version } = await routes.info(20_000)
  throw new KugetsuError(`opencode ${version} is not supported: it has no ${missing.join(', no ')}`, {
    hint: 'Install a version that kugetsu was tested with, or a newer kugetsu.',
    code: 'opencode_unsupported',
  })
}

/** Which of them are not among the paths of an OpenAPI document. Pure. */
export function missingIn(paths: Record<string, object>): string[] {
  return needed.filter((operation) => {
    const [method = '', path = ''] = operation.split(' ')
    return !Object.hasOwn(paths[path] ?? {}, method.toLowerCase())
  })
}
