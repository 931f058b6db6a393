import { permissionAnswer, permissionDenial } from '../../agents/permissions.ts'
import type { Home } from '../../config/home.ts'
import type { Settings } from '../../config/settings.ts'
import { messageOf } from '../../core/errors.ts'
import type { Ask, Client } from '../../driver/client.ts'
import { note } from '../../activity/journal.ts'

type Policy = Settings['permissionPolicy']

/**
 * Answers the requests of the agents of a directory: permission requests by PERMISSION_POLICY, questions with a
 * rejection (no person is there to answer, and the agent is told so). Sessions that are not ours are left alone.
 * Returns how many requests could not be answered and still wait.
 */
export async function answerRequests(
  home: Home,
  client: Client,
  directory: string,
  issueOf: (sessionId: string) => string | undefined,
): Promise<number> {
  let waiting = 0
  for (const ask of await client.asks(directory)) {
    const issue = issueOf(ask.sessionId)
    if (issue === undefined) continue
    const { permissionPolicy: policy } = home.settings(issue)
    try {
      await client.answer(ask, directory, answerTo(ask, policy))
      note(home, 'permission', {
        issue_ref: issue,
        reason: isQuestion(ask) ? 'rejected a question' : permissionAnswer(policy, ask),
      })
    } catch (error) {
      waiting += 1
      home.warn(`could not answer ${issue}: ${messageOf(error)}`)
    }
  }
  return waiting
}

function answerTo(ask: Ask, policy: Policy): Parameters<Client['answer']>[2] {
  if (isQuestion(ask)) return { refused: undefined }
  return policy === 'allow' ? 'once' : { refused: permissionDenial(ask) }
}

function isQuestion({ kind }: Ask): boolean {
  return kind === 'question'
}
