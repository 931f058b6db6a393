/**
 * What commands of agents printed beyond what opencode gives the model: a file each in `tool-output/` of opencode's data
 * directory. opencode removes a file after a week. It can be large and hold secrets, and opencode lets every user read it.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { messageOf } from '../core/errors.ts'
import { listDirectory } from '../platform/files.ts'
import type { Routes } from './api/routes.ts'
import { dataDirectory } from './directories.ts'
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

/** Keeps other users out, also of what opencode writes there from now on. Never throws: doctor reports it too. */
export function closeToolOutput(home: Opencode & { warn: (text: string) => void }): void {
  const directory = toolOutputDirectory(home)
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    if ((fs.statSync(directory).mode & 0o077) !== 0) fs.chmodSync(directory, 0o700)
  } catch (error) {
    home.warn(`other users may read what commands print: ${messageOf(error)}`)
  }
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

/** How many files there are and their size in bytes, and whether other users can read them; undefined without any. */
export function lookAtToolOutput(
  opencode: Opencode,
): { directory: string; files: number; bytes: number; open: boolean } | undefined {
  const directory = toolOutputDirectory(opencode)
  const stat = fs.statSync(directory, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  const sizes = listDirectory(directory).map(
    (name) => fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false })?.size ?? 0,
  )
  return {
    directory,
    files: sizes.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    open: (stat.mode & 0o077) !== 0,
  }
}
