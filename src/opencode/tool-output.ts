/**
 * The output of agents' commands beyond what opencode gives the model: a file each in `tool-output/` of opencode's data
 * directory. opencode removes a file after a week. It can be large and hold secrets, and opencode lets every user read
 * it.
 */
import * as path from 'node:path'
import { listDirectory } from '../platform/files.ts'
import type { Routes } from './api/routes.ts'
import { dataDirectory } from './directories.ts'
import { closeDirectory, lookAtDirectory } from './output-files.ts'
import type { Message } from './api/schemas.ts'
import { recordAt, textAt } from '../core/unknown-data.ts'

/** How opencode names these files. */
const outputName = /^tool_\w+$/

interface Opencode {
  env: NodeJS.ProcessEnv
  userHome: string
}

function toolOutputDirectory({ env, userHome }: Opencode): string {
  return path.join(dataDirectory(env, userHome), 'tool-output')
}

export function closeToolOutput(home: Opencode & { warn: (text: string) => void }): void {
  closeDirectory(home, toolOutputDirectory(home))
}

/** The files that the commands of a session and its sub-agents left there. Throws KugetsuError when it cannot tell. */
export async function toolOutputsOf(
  opencode: Opencode,
  routes: Routes,
  session: { id: string; directory: string },
): Promise<string[]> {
  const sessions = [session.id, ...(await routes.children(session.id, session.directory)).map(({ id }) => id)]
  const messages: Message[] = []
  for (const id of sessions) messages.push(...((await routes.messages(id, session.directory)) ?? []))
  const directory = toolOutputDirectory(opencode)
  const named = messages.flatMap(({ parts }) => parts.flatMap((part) => outputOf(part['state']) ?? []))
  // Only files right in that directory: a third-party tool itself says where its output is.
  return [...new Set(named)].filter((file) => path.dirname(file) === directory && outputName.test(path.basename(file)))
}

function outputOf(state: unknown): string | undefined {
  return textAt(recordAt(state, 'metadata'), 'outputPath')
}

export function lookAtToolOutput(opencode: Opencode): ReturnType<typeof lookAtDirectory> {
  return lookAtDirectory(toolOutputDirectory(opencode), (directory) =>
    listDirectory(directory).map((name) => path.join(directory, name)),
  )
}
