import { setMaxListeners } from 'node:events'
import { pathsOf } from '../../src/config/paths.ts'
import type { Daemon, Home } from '../../src/config/home.ts'
import { lazy } from '../../src/core/lazy.ts'
import { openQueue } from '../../src/queue/file-queue.ts'

/** The daemon of a home without one, where none can be started. */
export const noDaemon: Daemon = {
  isRunning: async () => false,
  wake: async () => false,
  takesTasks: async () => false,
  cancelStart: async () => false,
}

/** A kugetsu home at `directory` for the services, without configuration or a program to run; warnings go to `warn`. */
export function bareHome(directory: string, warn: (text: string) => void = () => {}): Home {
  const { signal } = new AbortController()
  setMaxListeners(0, signal) // many callers at once share it
  const home: Home = {
    paths: pathsOf(directory),
    env: {},
    userHome: directory,
    now: () => new Date(),
    settings: () => {
      throw new Error('this home has no settings')
    },
    queue: lazy(() => openQueue(home)),
    daemon: noDaemon,
    signal,
    warn,
    progress: () => {},
    system: directory, // neither proc nor sys: how much memory there is is not known
    self: ['false'],
  }
  return home
}
