import { setMaxListeners } from 'node:events'
import { pathsOf } from '../../src/config/paths.ts'
import type { Home } from '../../src/config/home.ts'
import { lazy } from '../../src/core/lazy.ts'
import { openQueue } from '../../src/queue/file-queue.ts'

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
    signal,
    warn,
    progress: () => {},
    system: directory, // neither proc nor sys: how much memory there is is not known
    self: ['false'],
  }
  return home
}
