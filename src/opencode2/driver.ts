/** The driver of opencode 2.x. */
import type { Driver } from '../driver/driver.ts'
import { originOf } from '../driver/http.ts'
import { removeSnapshots } from '../opencode/snapshots.ts'
import { requireOperations } from './api/needed.ts'
import { createRoutes } from './api/routes.ts'
import { connect } from './client.ts'
import { launch, pluginText } from './launch.ts'
import { copyLogins, missingLogins, sharedLogins } from './logins.ts'
import { closeOutputs, lookAtOutputs } from './outputs.ts'
import { closeStore, lookAtStore, storeFile, storeHint, storeRules } from './store.ts'
import { models, primaryAgents } from './suggest.ts'

const commandTimeoutMs = 120_000

export const opencode2: Driver = {
  kind: 'opencode2',
  versions: { from: '2.0', below: '3.0.0', named: '2.x', tested: '2.0.15' },
  requireWorkable: () => {},
  preload: () => void pluginText(),
  beforeLaunch: closeOutputs,
  launch,
  bootHint: (home, log) => (/malformed|not a database/.test(log) ? storeHint(home) : undefined),
  markFor: () => '',
  afterLaunch: async (home, endpoint) => {
    await requireOperations(createRoutes(endpoint, home.signal))
    closeStore(home)
    copyLogins(home) // the first server of a home has only now made the database
    return false
  },
  renewFiles: copyLogins,
  connect,
  commandTimeoutMs: () => commandTimeoutMs,
  attach: (endpoint, { id }) => ({
    args: ['--server', originOf(endpoint), '--session', id],
    env: { OPENCODE_PASSWORD: endpoint.password },
  }),
  login: (endpoint, provider) => ({
    args: ['auth', 'login', '--server', originOf(endpoint), ...(provider === undefined ? [] : [provider])],
    env: { OPENCODE_PASSWORD: endpoint.password },
  }),
  loginCommand: 'kugetsu login',
  missingLogins,
  sharedLogins,
  storeFile,
  storeHint,
  lookAtStore,
  storeRules,
  forgetWorktree: ({ env, userHome }, worktree) => void removeSnapshots(env, userHome, worktree),
  lookAtOutputs,
  closeOutputs,
  loadsAllModels: true,
  knownProviders: () => undefined,
  isChangedByReading: () => false,
  isMadeByReading: () => false,
  suggest: (home, what) => (what === 'models' ? models(home) : primaryAgents(home)),
}
