/** What a command needs of the daemon, so that the services do not import it. */
export interface Supervision {
  /** Whether a daemon follows the runs, so that ended ones are settled without us. */
  isRunning: () => Promise<boolean>
  /** Starts one if there is none, and makes it look at the runs now. Never throws: a run works on without. */
  wake: () => Promise<void>
  /** Whether tasks are taken from the queue, by a daemon that is started if one was meant to and has died. */
  takesTasks: () => Promise<boolean>
  /** Ends the start of a queue's task that goes on in the daemon; false where it is at none such. */
  cancelStart: (start: { issue: string | null; item?: string }) => Promise<boolean>
}
