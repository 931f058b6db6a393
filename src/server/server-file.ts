/** opencode/server.json: which server this home has. Loads little, for the commands that only look. */
import * as z from 'zod/mini'
import type { Home } from '../config/home.ts'
import { lazy } from '../core/lazy.ts'
import { writeJson } from '../platform/files.ts'
import { processIdentity } from '../platform/process-identity.ts'
import { parseJson, readState } from '../platform/state-file.ts'

const serverFile = lazy(() =>
  z.looseObject({
    ...processIdentity().shape,
    /** Absent while the server boots. */
    port: z.optional(z.int()),
    password: z.string().check(z.minLength(1)),
    version: z.string(),
    /** The kind of its driver; absent: `opencode`. */
    driver: z.optional(z.string()),
    /** The fingerprintOf() of the program on disk that the server was started from. */
    program: z.string(),
    /** Value of KUGETSU_SERVER in the environment of the server and of every command its agents run. */
    marker: z.string().check(z.minLength(1)),
    started_at: z.string(),
    /** The mark of the server's choice of models (in-use.ts); absent when it loads all. */
    models: z.optional(z.string()),
    /** Where the server's output begins in its log, in bytes: the port is printed there. */
    log_offset: z.optional(z.int()),
    /** The server is about to be ended, and must not be found any more. */
    stopping: z.optional(z.boolean()),
  }),
)
export type ServerRecord = z.infer<ReturnType<typeof serverFile>>

/** Reads the text of server.json; undefined when it cannot be understood. */
export function parseServer(text: string): ServerRecord | undefined {
  const value = parseJson(text)
  return value === undefined ? undefined : serverFile().safeParse(value).data
}

/** What server.json says, alive or not. A file that cannot be understood is set aside. */
export function readServer(home: Home): ServerRecord | undefined {
  const read = readState(home.paths.server, (value) => serverFile().parse(value), home.now())
  if (read.kind === 'read') return read.value
  if (read.kind === 'spoiled') {
    home.warn(`${home.paths.server} cannot be understood${read.aside === undefined ? '' : `; kept as ${read.aside}`}`)
  }
  return undefined
}

/** Replaces what server.json says. */
export function writeServer(home: Home, record: ServerRecord): void {
  writeJson(home.paths.server, record)
}

const bootingFile = lazy(() => z.looseObject({ marker: z.string().check(z.minLength(1)) }))

/** The marker of a server that was about to be started, undefined when none was. */
export function readBooting(home: Home): string | undefined {
  const read = readState(home.paths.booting, (value) => bootingFile().parse(value), home.now())
  return read.kind === 'read' ? read.value.marker : undefined
}

/** Says that a server is about to be started, before there is a process to put on file. */
export function writeBooting(home: Home, marker: string): void {
  writeJson(home.paths.booting, { marker })
}
