import { KugetsuError } from './errors.ts'

/** Variables that say which agent runs a command. */
const agentsOwn = [
  'KUGETSU_SERVER',
  'KUGETSU_AGENT',
  'KUGETSU_ISSUE_REF',
  'KUGETSU_WORKTREE',
  'KUGETSU_CALL',
  'KUGETSU_TERMINAL',
]

/**
 * An environment for a process that outlives the command that starts it. Started by an agent, it would otherwise count as a
 * command of that agent, and be ended with it.
 */
export function withoutAgent(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !agentsOwn.includes(name)))
}

/** Throws KugetsuError `not_for_pm_agent` when the PM agent calls what only a person decides. */
export function requirePerson(env: NodeJS.ProcessEnv, hint?: string): void {
  if (!isPmAgent(env)) return
  throw new KugetsuError('the PM agent may not do this: a person decides it', {
    ...(hint === undefined ? {} : { hint }),
    code: 'not_for_pm_agent',
  })
}

/** Whether the PM agent calls: it may not do everything that a person may. */
export function isPmAgent(env: NodeJS.ProcessEnv): boolean {
  return env['KUGETSU_AGENT'] === 'pm-agent'
}
