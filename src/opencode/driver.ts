/** The driver of opencode 1.2 to 1.x. */
import type { Home } from '../config/home.ts'
import { KugetsuError, messageOf } from '../core/errors.ts'
import type { Driver } from '../driver/driver.ts'
import { originOf } from '../driver/http.ts'
import { variableOf } from '../platform/processes.ts'
import { connect } from './client.ts'
import { databaseHint, databasePath, dateBack, lookAtDatabase, storePermissions } from './database.ts'
import { pluginText, serverEnvironment, writePlugin } from './environment.ts'
import { createRoutes } from './api/routes.ts'
import { findCatalogue } from './models/catalogue.ts'
import { askConnected, chooseModels, markFor, renewModels } from './models/in-use.ts'
import { isChangedByReading, isMadeByReading } from './project-files.ts'
import { removeSnapshots } from './snapshots.ts'
import { primaryAgents, models } from './suggest.ts'
import { closeToolOutput, lookAtToolOutput } from './tool-output.ts'

/** Overrides opencode's own default timeout of a command. */
const timeoutVariable = 'OPENCODE_EXPERIMENTAL_BASH_DEFAULT_TIMEOUT_MS'
const defaultTimeoutMs = 120_000

export const opencode: Driver = {
  kind: 'opencode',
  // Older ones keep their sessions in JSON files. Version 2 has another API, and other tables in the same database.
  versions: { from: '1.2', below: '2.0.0', named: '1.x', tested: '1.18.33' },
  requireWorkable,
  preload: () => void pluginText(),
  beforeLaunch: (home, sessions) => {
    followTheClock(home, sessions)
    closeToolOutput(home)
  },
  launch: (home, { program, ...own }) => {
    writePlugin(home)
    const chosen = chooseModels(home, program)
    return {
      args: ['serve', '--hostname', '127.0.0.1', '--port', '0'],
      env: serverEnvironment(home, { ...own, models: chosen }),
      mark: chosen.mark,
    }
  },
  bootHint: (_, log) =>
    log.includes('has no session table')
      ? 'opencode 2 has made that database: name another file for opencode 1 in OPENCODE_DB, or use opencode 2.'
      : undefined,
  markFor,
  // A first boot with all models only learns which providers are connected.
  afterLaunch: async (home, endpoint, { program, mark }) =>
    mark === '' && (await askConnected(home, createRoutes(endpoint, home.signal), program)),
  renewFiles: renewModels,
  connect,
  commandTimeoutMs: (pid) => Number(variableOf(pid, timeoutVariable)) || defaultTimeoutMs,
  attach: (endpoint, { id, directory }) => ({
    args: ['attach', originOf(endpoint), '--session', id, '--dir', directory],
    env: { OPENCODE_SERVER_PASSWORD: endpoint.password },
  }),
  login: (_, provider) => ({
    args: ['auth', 'login', ...(provider === undefined ? [] : ['--provider', provider])],
    env: {},
  }),
  loginCommand: 'opencode auth login',
  missingLogins: () => [],
  sharedLogins: () => [],
  storeHint: () => databaseHint,
  storeFile: ({ env, userHome }) => databasePath(env, userHome),
  lookAtStore: ({ env, userHome }) => lookAtDatabase(databasePath(env, userHome)),
  storeRules: ({ env, userHome }, sessions) => storePermissions(databasePath(env, userHome), sessions),
  forgetWorktree: ({ env, userHome }, worktree) => void removeSnapshots(env, userHome, worktree),
  lookAtOutputs: lookAtToolOutput,
  closeOutputs: closeToolOutput,
  isChangedByReading,
  isMadeByReading,
  loadsAllModels: false,
  knownProviders: (home) => {
    const found = findCatalogue(home)
    return found && Object.keys(found.catalogue)
  },
  suggest: (home, what) => (what === 'models' ? models(home) : primaryAgents(home)),
}

/** Up to 1.18 opencode URL-decodes the path of a session at each prompt. */
function requireWorkable(home: string): void {
  const [found] = /%[0-9a-f]{2}/i.exec(home) ?? []
  if (found === undefined || decoded(home) === home) return
  throw new KugetsuError(`opencode cannot work in ${home}: it takes the ${found} in the path for another sign`, {
    hint: `Choose a home without "${found}" in its path (KUGETSU_DIR), or rename the directory.`,
    code: 'bad_home',
  })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // and so does opencode
  }
}

/** Dates messages from the future back: the clock may have been set back since our sessions were last at work. */
function followTheClock(home: Home, sessions: () => string[]): void {
  try {
    dateBack(databasePath(home.env, home.userHome), sessions(), home.now())
  } catch (error) {
    home.warn(`cannot see whether opencode's messages are from the future: ${messageOf(error)}`)
  }
}
