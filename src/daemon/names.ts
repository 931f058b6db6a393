/** The hidden command that is the daemon: it only supervises, and ends when nothing is left to do. */
export const daemonCommand = 'supervise'
