/** What the opencode of a home keeps, by its version, read from its database and its server: no kugetsu is asked. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { openSqlite, type Sqlite } from '../../src/platform/sqlite.ts'
import type { Home } from './home.ts'

export interface Look {
  kind: 'opencode' | 'opencode2'
  /** The file of its database. */
  database: string
  /** The route that lists its sessions, and that of its own description. */
  routes: { sessions: string; description: string }
  /** How often the first server of a home boots: once, and once more where it has to be asked whose models it can use. */
  firstBoots: number
  /** What kugetsu says of its failure when its database is locked, and of an MCP server that does not answer. */
  lockedWords: string
  silentServer: RegExp
  /** The names of its tools. */
  tools: { shell: string }
  /** What users said in its sessions, delivered or not. */
  told: () => { session: string; text: string }[]
  /** When its last message was made, in seconds. */
  lastMessageAt: () => number
  /** The permission rules of a session, as they are stored. */
  rules: (id: string) => string | null
  /** Takes the rules of a session away. */
  dropRules: (id: string) => void
  /** Whether its server knows a session. */
  has: (id: string) => Promise<boolean>
  /** Deletes a session on its server, behind kugetsu's back. Throws when the server refuses. */
  remove: (id: string) => Promise<void>
  /** The sessions of a session's sub-agents. */
  children: (id: string) => Promise<string[]>
  /** Where it keeps the long outputs of commands. */
  outputDirectory: string
  /** The files with those outputs that the messages of a session name. */
  outputs: (id: string) => Promise<string[]>
  /** The names of its skills; undefined when it does not list them. */
  skills: () => Promise<{ name: string; description?: string }[] | undefined>
}

export type Ask = (route: string, method?: string) => Promise<{ status: number; json: unknown }>

/** Looks at the opencode that the home's base session belongs to; before there is one, at opencode 1. */
export function lookAt(home: Home, ask: Ask): Look {
  const index = path.join(home.kugetsuDir, 'index.json')
  const isOf2 = fs.existsSync(index) && /"driver": *"opencode2"/.test(fs.readFileSync(index, 'utf8'))
  return isOf2 ? lookAt2(home, ask) : lookAt1(home, ask)
}

function lookAt1(home: Home, ask: Ask): Look {
  const database = path.join(home.opencodeData, 'opencode.db')
  const at = `directory=${encodeURIComponent(path.join(home.kugetsuDir, 'base'))}`
  return {
    kind: 'opencode',
    database,
    ...looks(database, { sessions: 'session', messages: 'message' }, ask, (id) => `/session/${id}?${at}`),
    routes: { sessions: '/session', description: '/doc' },
    firstBoots: 2,
    lockedWords: 'its database',
    silentServer: /is not connected \(failed: [^)]*timed out[^)]*\)/,
    tools: { shell: 'bash' },
    outputDirectory: path.join(home.opencodeData, 'tool-output'),
    told: () =>
      query(
        database,
        `SELECT part.session_id AS session, part.data AS part, message.data AS message
         FROM part JOIN message ON message.id = part.message_id`,
      ).flatMap(({ session, part, message }) => {
        const { type, text } = JSON.parse(String(part)) as { type: string; text?: string }
        const { role } = JSON.parse(String(message)) as { role: string }
        return role === 'user' && type === 'text' ? [{ session: String(session), text: text ?? '' }] : []
      }),
    children: async (id) =>
      ((await ask(`/session/${id}/children?${at}`)).json as { id: string }[]).map((one) => one.id),
    outputs: async (id) =>
      [
        ...JSON.stringify((await ask(`/session/${id}/message?${at}`)).json).matchAll(
          /"outputPath":"([^"]*\/tool_\w+)"/g,
        ),
      ].map(([, file = '']) => file),
    skills: async () => {
      const { status, json } = await ask('/skill')
      return status === 200 && Array.isArray(json) ? json : undefined
    },
  }
}

function lookAt2(home: Home, ask: Ask): Look {
  const database = path.join(home.kugetsuDir, 'opencode', 'opencode2.db')
  const dataOf = async <T>(route: string) => ((await ask(route)).json as { data: T }).data
  return {
    kind: 'opencode2',
    database,
    ...looks(database, { sessions: 'session_v2', messages: 'session_message' }, ask, (id) => `/api/session/${id}`),
    routes: { sessions: '/api/session', description: '/openapi.json' },
    firstBoots: 1,
    lockedWords: 'it ended the run and stored no reason',
    silentServer: /has not answered for \d+ s/,
    tools: { shell: 'shell' },
    outputDirectory: path.join(home.opencodeData, 'shell'),
    told: () =>
      query(
        database,
        `SELECT session_id AS session, data FROM session_message WHERE type = 'user'
         UNION ALL SELECT session_id, payload FROM session_inbox WHERE id NOT IN (SELECT id FROM session_message)`,
      ).map(({ session, data }) => ({
        session: String(session),
        text: (JSON.parse(String(data)) as { text?: string }).text ?? '',
      })),
    children: async (id) => (await dataOf<{ id: string }[]>(`/api/session?parentID=${id}`)).map((one) => one.id),
    outputs: async (id) =>
      [
        ...JSON.stringify(await dataOf(`/api/session/${id}/message?limit=200`)).matchAll(
          /\[full output saved to ([^\]\\]+)\]/g,
        ),
      ].map(([, file = '']) => file),
    skills: () => dataOf(`/api/skill?location[directory]=${encodeURIComponent(path.join(home.kugetsuDir, 'base'))}`),
  }
}

/** What differs by the names of tables and routes alone. */
function looks(
  database: string,
  tables: { sessions: string; messages: string },
  ask: Ask,
  routeOf: (id: string) => string,
): Pick<Look, 'lastMessageAt' | 'rules' | 'dropRules' | 'has' | 'remove'> {
  return {
    lastMessageAt: () =>
      Number(query(database, `SELECT max(time_created) AS latest FROM ${tables.messages}`)[0]?.['latest']) / 1000,
    rules: (id) =>
      (query(database, `SELECT permission FROM ${tables.sessions} WHERE id = ?`, id)[0]?.['permission'] ?? null) as
        string | null,
    dropRules: (id) =>
      inDatabase(database, false, (db) => {
        if (db.run(`UPDATE ${tables.sessions} SET permission = NULL WHERE id = ?`, id) !== 1) {
          throw new Error(`no session ${id}`)
        }
      }),
    has: async (id) => {
      const { status } = await ask(routeOf(id))
      if (status !== 200 && status !== 404) throw new Error(`GET ${routeOf(id)}: ${status}`)
      return status === 200
    },
    remove: async (id) => {
      const { status } = await ask(routeOf(id), 'DELETE')
      if (status < 200 || status > 299) throw new Error(`DELETE ${routeOf(id)}: ${status}`)
    },
  }
}

function query(file: string, sql: string, ...values: string[]): Record<string, unknown>[] {
  return inDatabase(file, true, (db) => db.all(sql, ...values))
}

function inDatabase<T>(file: string, readonly: boolean, use: (db: Sqlite) => T): T {
  const db = openSqlite(file, { timeoutMs: 10_000, readonly, mustExist: true })
  try {
    return use(db)
  } finally {
    db.close()
  }
}
