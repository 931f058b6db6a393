/** A kugetsu home for tests of the services themselves: real files, a clock that stands, nothing running. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { Home } from '../../src/config/home.ts'
import { lazy } from '../../src/core/lazy.ts'
import { openQueue } from '../../src/queue/file-queue.ts'
import { loadSettings } from '../../src/config/settings.ts'
import { bareHome } from './bare-home.ts'

export interface ServiceHome extends Home {
  /** What the person was warned of so far, oldest first. */
  warnings: string[]
  /** What `now` says; a test may set it. */
  clock: { now: Date }
  cleanup: () => void
}

/** Creates a home, empty or with the content of the directory `from`. Call its cleanup() when the test is done. */
export function createServiceHome(options: { from?: string } = {}): ServiceHome {
  const root = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'kg-service-'))
  const directory = path.join(root, 'home')
  if (options.from === undefined) fs.mkdirSync(directory, { mode: 0o700 })
  else fs.cpSync(options.from, directory, { recursive: true })
  const env = { PATH: process.env['PATH'], HOME: root, KUGETSU_DIR: directory }
  const warnings: string[] = []
  const clock = { now: new Date('2026-05-01T12:00:00Z') }
  const bare = bareHome(directory, (text) => warnings.push(text))
  const home: ServiceHome = {
    ...bare,
    queue: lazy(() => openQueue(home)),
    env,
    userHome: root,
    now: () => clock.now,
    settings: () => loadSettings({ configFile: bare.paths.config, env, userHome: root }),
    warnings,
    clock,
    cleanup: () => fs.rmSync(root, { recursive: true, force: true }),
  }
  return home
}
