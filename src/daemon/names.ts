/** The hidden command that runs the daemon. It only supervises, and ends when nothing is left to do. */
export const daemonCommand = 'supervise'
