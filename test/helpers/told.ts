/** What users said in the sessions of opencode, from its database: no kugetsu is asked. */
import { openSqlite } from '../../src/platform/sqlite.ts'

export function toldIn(database: string): { session: string; text: string }[] {
  const db = openSqlite(database, { timeoutMs: 10_000, readonly: true })
  try {
    const rows = db.all(
      `SELECT part.session_id AS session, part.data AS part, message.data AS message
       FROM part JOIN message ON message.id = part.message_id`,
    )
    return rows.flatMap(({ session, part, message }) => {
      const { type, text } = JSON.parse(String(part)) as { type: string; text?: string }
      const { role } = JSON.parse(String(message)) as { role: string }
      return role === 'user' && type === 'text' ? [{ session: String(session), text: text ?? '' }] : []
    })
  } finally {
    db.close()
  }
}
