import type { Queue } from '../queue/queue.ts'
import type { Paths } from './paths.ts'
import type { Settings } from './settings.ts'

/** One kugetsu home and the surroundings of a call: what every service gets handed. */
export interface Home {
  paths: Paths
  env: NodeJS.ProcessEnv
  /** The user's home directory. */
  userHome: string
  now: () => Date
  /**
   * The configuration, read on first use (config file, then environment over it); `issueRef` is the canonical ref of the
   * issue that it is asked for, if it is for one. Throws KugetsuError.
   */
  settings: (issueRef?: string | null) => Settings
  /** The tasks, wherever they are stored. The same object each time. */
  queue: () => Queue
  /** Aborted when the caller was told to stop (SIGINT, SIGTERM). */
  signal: AbortSignal
  /** Tells the person about something odd that does not stop the work; one line. */
  warn: (text: string) => void
  /** Tells the person what a slow step is doing; one line. `passing`: only shown on a terminal, since it keeps changing. */
  progress: (text: string, passing?: 'passing') => void
  /** Where the system's proc and sys are: `/`, except in tests. */
  system: string
  /** How to run kugetsu itself: program and first arguments. */
  self: readonly [string, ...string[]]
}
