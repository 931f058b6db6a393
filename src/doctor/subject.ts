/**
 * A kugetsu home to be checked. The readers of other commands set aside unreadable files and free what dead processes
 * hold. The readers here read the same files and change nothing.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { aServersFile, type GitServer, listServers } from '../config/git-servers.ts'
import type { Home } from '../config/home.ts'
import { aRepositoriesFile } from '../config/repositories.ts'
import { loadSettings, type Settings } from '../config/settings.ts'
import type { Read } from '../core/fields.ts'
import { lazy } from '../core/lazy.ts'
import { driverFor, isOf } from '../driver/choose.ts'
import type { StoreLook } from '../driver/driver.ts'
import { parseServer, type ServerRecord } from '../server/server-file.ts'
import { listDirectory, readText } from '../platform/files.ts'
import { parseJson } from '../platform/state-file.ts'
import type { Item } from '../queue/item.ts'
import { parseIndex, parseRecord, type Index } from '../sessions/file/session-file.ts'
import type { StoredSession } from '../sessions/file/store.ts'

export interface Subject {
  home: Home
  /** Throws KugetsuError for a configuration that makes no sense; its warnings are in `warnings`. */
  settings: () => Settings
  /** Undefined when the file is missing or cannot be understood. */
  index: () => Index | undefined
  sessions: () => StoredSession[]
  items: () => Promise<Item[]>
  server: () => ServerRecord | undefined
  gitServers: () => GitServer[]
  /** The content of opencode's database; undefined without one. Throws when it cannot be read. */
  database: () => StoreLook | undefined
  /** Existing state files that cannot be understood, relative to the home; without those of tasks. */
  unreadable: () => string[]
  /** Those of tasks. */
  damagedTasks: () => Promise<string[]>
}

/** Everything is read at most once, when it is first asked for. */
export function subjectOf(outer: Home): Subject {
  const { paths, env, userHome } = outer
  const settings = lazy(() => loadSettings({ configFile: paths.config, env, userHome }))
  // Silent: otherwise each reader of the settings would print the warnings, which are the finding of a check.
  const home: Home = { ...outer, settings, warn: () => {} }
  const unreadable = new Set<string>()

  function read<T>(file: string, parse: (text: string) => T | undefined): T | undefined {
    let text: string | undefined
    try {
      text = readText(file)
    } catch {
      unreadable.add(path.relative(paths.home, file))
      return undefined
    }
    if (text === undefined) return undefined
    const parsed = parse(text)
    if (parsed === undefined) unreadable.add(path.relative(paths.home, file))
    return parsed
  }

  const namesIn = (directory: string) =>
    listDirectory(directory)
      .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
      .map((name) => name.slice(0, -'.json'.length))

  const index = lazy(() => read(paths.index, parsed(parseIndex)))
  const sessions = lazy(() =>
    namesIn(paths.sessions).flatMap((name) => {
      const record = read(path.join(paths.sessions, `${name}.json`), parsed(parseRecord))
      return record === undefined ? [] : [{ name, record }]
    }),
  )
  const tasks = lazy(() => home.queue().inspect())
  const server = lazy(() => read(paths.server, parseServer))
  const sound = <T>(file: string, check: Read<T>) =>
    !fs.existsSync(file) || read(file, (text) => (text.trim() === '' ? ({} as T) : parsed(check)(text))) !== undefined
  const areServersSound = lazy(() => sound(paths.servers, aServersFile))
  return {
    home,
    settings,
    index,
    sessions,
    items: async () => (await tasks()).items,
    damagedTasks: async () => (await tasks()).damaged.map(({ file }) => path.relative(paths.home, file)),
    server,
    gitServers: lazy(() => (areServersSound() ? listServers(home) : [])),
    database: lazy(() => driverFor(home).lookAtStore(home)),
    unreadable: lazy(() => {
      for (const look of [index, sessions, server, areServersSound]) look()
      sound(paths.repositories, aRepositoriesFile)
      return [...unreadable]
    }),
  }
}

/**
 * Whether opencode has a session; undefined when that cannot be told, as of a session of another kind of server. `at` is
 * the file of the session.
 */
export function isKnownBy(
  subject: Subject,
): (id: string, at: { driver?: string | null | undefined }) => boolean | undefined {
  const driver = lazy(() => driverFor(subject.home))
  return (id, at) => {
    try {
      if (!isOf(driver(), at)) return undefined
      const look = subject.database()
      return look === undefined || look.missing.includes('id') ? undefined : look.sessions.has(id)
    } catch {
      return undefined
    }
  }
}

function parsed<T>(read: Read<T>): (text: string) => T | undefined {
  return (text) => read(parseJson(text))
}
