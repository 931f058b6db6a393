import type { Queue } from '../queue/queue.ts'
import type { Paths } from './paths.ts'
import type { Settings } from './settings.ts'

/** One kugetsu home and the surroundings of a call, handed to every service. */
export interface Home {
  paths: Paths
  env: NodeJS.ProcessEnv
  /** The user's home directory. */
  userHome: string
  now: () => Date
  /**
   * The configuration, read on first use (config file, then environment over it); `issueRef` is the canonical ref of
   * the issue in question, if any. Throws KugetsuError.
   */
  settings: (issueRef?: string | null) => Settings
  /** The queue of tasks, wherever it is stored. The same object each time. */
  queue: () => Queue
  daemon: Daemon
  /** Aborted when the caller was told to stop (SIGINT, SIGTERM). */
  signal: AbortSignal
  /** Tells the person about an oddity that does not stop the work; one line. */
  warn: (text: string) => void
  /**
   * Tells the person about the progress of a slow step; one line. `passing`: only shown on a terminal, since it keeps
   * changing.
   */
  progress: (text: string, passing?: 'passing') => void
  /** Where the system's proc and sys are: `/`, except in tests. */
  system: string
  /** How to run kugetsu itself: program and first arguments. */
  self: readonly [string, ...string[]]
}

/** The daemon of a home, as the services use it. */
export interface Daemon {
  /** Whether it follows the runs, so that it settles the ended ones. */
  isRunning: () => Promise<boolean>
  /**
   * Starts it if it does not run, and makes it look at the runs now. Returns false when none is there and none could be
   * started. Never throws: a run works on without a daemon.
   */
  wake: () => Promise<boolean>
  /** Whether it takes tasks from the queue. If it should do so and has died, it is started again. */
  takesTasks: () => Promise<boolean>
  /** Ends a start that goes on in the daemon; false if there is no such start. */
  cancelStart: (start: StartInDaemon) => Promise<boolean>
}

/** Names a running start in the daemon, by its issue and, optionally, its task. */
export interface StartInDaemon {
  /** The canonical ref; null for the PM agent. */
  issue: string | null
  /** The id of the task, if only its start is meant. */
  item?: string
}
