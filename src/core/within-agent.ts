/** Variables that say which agent a command belongs to. */
const agentsOwn = [
  'KUGETSU_SERVER',
  'KUGETSU_AGENT',
  'KUGETSU_ISSUE_REF',
  'KUGETSU_WORKTREE',
  'KUGETSU_CALL',
  'KUGETSU_TERMINAL',
]

/**
 * An environment for what outlives the command that starts it: called by an agent, it would else be taken for a
 * command of that agent, and be ended with it.
 */
export function withoutAgent(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !agentsOwn.includes(name)))
}

/** Whether the PM agent calls: some of what a person may do is not for it. */
export function isPmAgent(env: NodeJS.ProcessEnv): boolean {
  return env['KUGETSU_AGENT'] === 'pm-agent'
}
