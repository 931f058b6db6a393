import { permissionDenial } from '../../agents/permissions.ts'
import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import type { Client } from '../../opencode/api/client.ts'
import { note } from '../../activity/journal.ts'

/**
 * Answers what the agents of a directory wait for: permission requests by PERMISSION_POLICY, questions with a rejection (no
 * person is there to answer, and the agent is told so). Sessions that are not ours are left alone. Returns how many requests
 * could not be answered and still wait.
 */
export async function answerRequests(
  home: Home,
  client: Client,
  directory: string,
  issueOf: (sessionId: string) => string | undefined,
): Promise<number> {
  let waiting = 0
  const answer = async (sessionID: string, what: string, reply: () => Promise<unknown>) => {
    const issue = issueOf(sessionID)
    if (issue === undefined) return
    try {
      await reply()
      note(home, 'permission', { issue_ref: issue, reason: what })
    } catch (error) {
      waiting += 1
      home.warn(`could not answer ${issue}: ${messageOf(error)}`)
    }
  }
  const { permissionPolicy } = home.settings()
  for (const request of await client.permissions(directory)) {
    const asked = { permission: request.permission ?? 'something', patterns: request.patterns ?? [] }
    const what = `${permissionPolicy === 'allow' ? 'allowed' : 'rejected'} ${asked.permission} ${asked.patterns.join(' ')}`
    await answer(request.sessionID, what, () =>
      permissionPolicy === 'allow'
        ? client.replyPermission(request.id, directory, 'once')
        : client.replyPermission(request.id, directory, 'reject', permissionDenial(asked)),
    )
  }
  // Older versions of opencode have no questions.
  for (const question of await client.questions(directory).catch(() => [])) {
    await answer(question.sessionID, 'rejected a question', () => client.rejectQuestion(question.id, directory))
  }
  return waiting
}
