/** Which calls of tools are refused, and what keeps them from waiting for ever. Part of the plugins inside opencode. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { refuseTool } from '../agents/pm-shell/tools.ts'
import { pmShellCommand } from '../core/pm-shell.ts'
import { readByOpencode } from '../opencode/project-files.ts'
import { isDevice, letReadersThrough, mayBlock } from '../platform/pipes.ts'
import { attempt, isDevAgent, isPmAgent } from './agent-environment.ts'

export interface ToolCall {
  /** In the names of opencode 1, as its arguments. */
  tool: string
  sessionID: string
}

/** Longer than a step takes from one call of a tool to the next. */
const letThroughMs = 600_000

/**
 * The text that an agent reads when its call is refused; undefined when it is not. A command of the PM agent is changed in
 * `args`. `directory` is that of the instance; undefined with older versions of opencode, which do not name it.
 */
export function refusalOf(
  directory: string | undefined,
  call: ToolCall,
  args: Record<string, unknown>,
): string | undefined {
  const home = process.env['KUGETSU_DIR'] ?? ''
  const problem = isPmAgent(home, call.sessionID)
    ? refuseTool(home, path.join(home, 'base'), call.tool, args)
    : refusedToOthers(home, call, args)
  const reason =
    problem ??
    filesOf(args)
      .map((file) => blocking(directory, file))
      .find(Boolean)
  if (reason === undefined) return undefined
  const what = call.tool === 'bash' ? 'command' : 'call'
  return `kugetsu refused this ${what}, and nothing of it was run: ${reason}.`
}

/**
 * Keeps opencode from waiting at a pipe that replaces a file it reads by itself, and from reading a device there: a tool may
 * have made one just now. A device, or a link to one, gets another name.
 */
export function letThrough(directory: string | undefined): void {
  if (directory === undefined) return
  const files = readByOpencode(directory)
  for (const file of files.filter(isDevice)) attempt(() => fs.renameSync(file, `${file}.device`))
  letReadersThrough(files, letThroughMs)
}

/**
 * Why a tool must not open its file. opencode opens it in one of the few threads that all agents of the server share; at a
 * pipe that thread would wait for ever.
 */
function blocking(directory: string | undefined, file: string): string | undefined {
  const full = path.resolve(directory ?? '/', file)
  if (mayBlock(full)) return `${file} is a pipe or a device, and opening it could wait for ever`
  if (directory !== undefined) letReadersThrough(readByOpencode(directory, full), letThroughMs)
  return undefined
}

/** The files that a call of a tool is to open; those of a patch are named in it. */
function filesOf(args: Record<string, unknown>): string[] {
  const patch = typeof args['patchText'] === 'string' ? args['patchText'] : ''
  const inPatch = [...patch.matchAll(/^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$/gm)].map(
    ([, file = '']) => file,
  )
  return [args['filePath'], args['path'], ...inPatch].filter((file) => typeof file === 'string')
}

/**
 * opencode's rules let the PM agent call the runner, and the plugin puts the PM agent's commands behind the runner. When the
 * session file of the PM agent is gone, the plugin cannot do that, so a call by hand is refused.
 */
function refusedToOthers(
  home: string,
  { tool, sessionID }: ToolCall,
  args: Record<string, unknown>,
): string | undefined {
  if (tool !== 'bash' || home === '' || !String(args['command']).includes(`kugetsu ${pmShellCommand}`)) return undefined
  return isDevAgent(home, sessionID) ? undefined : `kugetsu ${pmShellCommand} is not for direct use`
}
