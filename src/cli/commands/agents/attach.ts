import * as fs from 'node:fs'
import * as path from 'node:path'
import { exitCodes, KugetsuError } from '../../../core/errors.ts'
import { isOf } from '../../../driver/choose.ts'
import { checkOpencode, findOpencode } from '../../../server/program.ts'
import { ensureDirectory, writeAtomic } from '../../../platform/files.ts'
import { currentProcess } from '../../../platform/processes.ts'
import { agentServer } from '../../../sessions/runs/agent-server.ts'
import type { Context } from '../../terminal/context.ts'
import { agentSession } from '../../refs.ts'

export async function runAttach(context: Context, options: { ref: string }): Promise<void> {
  if (!context.io.interactive) {
    throw new KugetsuError('attach needs a terminal', {
      hint: `To follow the agent without a terminal: kugetsu logs -f ${options.ref}`,
      code: 'usage',
    })
  }
  const { record } = await agentSession(context, options.ref)
  if (!record.opencode_session_id || !record.worktree_path) {
    throw new KugetsuError(`${options.ref} has no opencode session yet`, {
      hint: 'Run "kugetsu start" first.',
      code: 'no_session',
    })
  }
  if (!isOf((await agentServer(context)).driver, record)) {
    throw new KugetsuError('this session is on another version of opencode than the one in use', {
      hint: `To go on with the issue in a new session: kugetsu continue ${record.issue_ref ?? '<issue-ref>'} "<message>"`,
      code: 'no_session',
    })
  }
  await openTui(context, record.opencode_session_id, record.worktree_path)
}

/** Runs opencode's terminal interface on a session, until the person leaves it. The server is not stopped meanwhile. */
export async function openTui(context: Context, session: string, directory: string): Promise<void> {
  const server = await agentServer(context)
  await runOpencode(context, 'attach', server.driver.attach(server.endpoint, { id: session, directory }))
}

/**
 * Runs the opencode program in the terminal, on the home's server, until it ends. The server is not stopped meanwhile. Throws
 * KugetsuError `attach_failed` when it ends with an error.
 */
export async function runOpencode(
  context: Context,
  name: string,
  { args, env }: { args: string[]; env: Record<string, string> },
): Promise<void> {
  // The program on disk may have changed since this server was started.
  const program = await checkOpencode(findOpencode(context.env), context.env, context.signal)
  const { execa } = await import('execa')
  const self = currentProcess()
  ensureDirectory(context.paths.attached)
  const attached = path.join(context.paths.attached, `${self.pid}.json`)
  writeAtomic(attached, JSON.stringify(self))
  try {
    // The interface takes the terminal's signals itself, so ours must not end it.
    const result = await execa(program.path, args, { stdio: 'inherit', reject: false, env })
    // The person has cancelled it there, and opencode has said so.
    if (result.exitCode === exitCodes.interrupted) return context.setExitCode(exitCodes.interrupted)
    if (result.failed) {
      throw new KugetsuError(`opencode ${name} ended with ${result.exitCode ?? result.signal ?? 'an error'}`, {
        hint: `See ${context.paths.serverLog}.`,
        code: 'attach_failed',
      })
    }
  } finally {
    fs.rmSync(attached, { force: true })
  }
}
