/** The parts of the daemon that a command needs, so that the services do not import the daemon. */
export interface Supervision {
  /** Whether a daemon follows the runs, so that it settles the ended ones. */
  isRunning: () => Promise<boolean>
  /** Starts a daemon if none runs, and makes it look at the runs now. Never throws: a run works on without a daemon. */
  wake: () => Promise<void>
  /** Whether a daemon takes tasks from the queue. A daemon that should do so and has died is started again. */
  takesTasks: () => Promise<boolean>
  /** Ends the start of a queued task that goes on in the daemon; false if there is no such start. */
  cancelStart: (start: { issue: string | null; item?: string }) => Promise<boolean>
  /** There is no daemon and none is to be started: nobody else settles a run. */
  absent?: true
}

/** For a process that ends everything itself. */
export const noSupervision: Supervision = {
  isRunning: async () => false,
  wake: async () => {},
  takesTasks: async () => false,
  cancelStart: async () => false,
  absent: true,
}
