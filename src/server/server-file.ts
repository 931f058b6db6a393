/** opencode/server.json: the server of this home. Loads little, for the commands that only look. */
import type { Home } from '../config/home.ts'
import {
  aBoolean,
  aFilledText,
  anInteger,
  aText,
  type Described,
  optional,
  readFields,
  required,
} from '../core/fields.ts'
import { writeJson } from '../platform/files.ts'
import { identityFields } from '../platform/processes.ts'
import { parseJson, readState } from '../platform/state-file.ts'

const serverFile = {
  ...identityFields,
  /** Absent while the server boots. */
  port: optional(anInteger),
  password: required(aFilledText),
  version: required(aText),
  /** The kind of its driver; absent: `opencode`. */
  driver: optional(aText),
  /** The fingerprintOf() of the program on disk that the server was started from. */
  program: required(aText),
  /** Value of KUGETSU_SERVER in the environment of the server and of every command its agents run. */
  marker: required(aFilledText),
  started_at: required(aText),
  /** The mark of the server's choice of models (in-use.ts); absent when it loads all. */
  models: optional(aText),
  /** Where the server's output begins in its log, in bytes: the port is printed there. */
  log_offset: optional(anInteger),
  /** The server is about to be ended, and must not be found any more. */
  stopping: optional(aBoolean),
}
export type ServerRecord = Described<typeof serverFile>

/** Reads the text of server.json; undefined when it cannot be understood. */
export function parseServer(text: string): ServerRecord | undefined {
  return readFields(serverFile, parseJson(text))
}

/** The content of server.json, alive or not. An unreadable file is set aside. */
export function readServer(home: Home): ServerRecord | undefined {
  const read = readState(home.paths.server, (value) => readFields(serverFile, value), home.now())
  if (read.kind === 'read') return read.value
  if (read.kind === 'spoiled') {
    home.warn(`${home.paths.server} cannot be understood${read.aside === undefined ? '' : `; kept as ${read.aside}`}`)
  }
  return undefined
}

/** Replaces the content of server.json. */
export function writeServer(home: Home, record: ServerRecord): void {
  writeJson(home.paths.server, record)
}

const bootingFile = { marker: required(aFilledText) }

/** The marker of a server that was about to be started, undefined when none was. */
export function readBooting(home: Home): string | undefined {
  const read = readState(home.paths.booting, (value) => readFields(bootingFile, value), home.now())
  return read.kind === 'read' ? read.value.marker : undefined
}

/** Says that a server is about to be started, before there is a process to put on file. */
export function writeBooting(home: Home, marker: string): void {
  writeJson(home.paths.booting, { marker })
}
