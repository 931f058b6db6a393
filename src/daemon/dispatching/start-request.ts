import { defaultInstance } from '../../config/git-servers.ts'
import type { Home } from '../../config/home.ts'
import { parseRef } from '../../core/issue-ref.ts'
import type { Item } from '../../queue/item.ts'
import type { StartRequest } from '../../sessions/starting/request.ts'

/** The start that an issue's task asks for. */
export function requestOf(home: Home, item: Item): StartRequest {
  return {
    ref: parseRef(item.issue_ref ?? '', { defaultHost: defaultInstance(home) }),
    message: item.message,
    prUrl: item.pr_url ?? undefined,
    base: item.base ?? undefined,
    model: item.model ?? undefined,
    agent: item.agent ?? undefined,
    fresh: item.fresh || undefined,
    queueItem: item.id,
  }
}
