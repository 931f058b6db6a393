/**
 * The output of agents' commands beyond what opencode gives the model: a file each, `shell/<project>/sh_….out` in
 * opencode's data directory; the output of other tools is in `tool-output/`. They can be large and hold secrets, and
 * opencode lets every user read them.
 */
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { listAt, recordAt, textAt } from '../core/unknown-data.ts'
import { dataDirectory } from '../opencode/directories.ts'
import { closeDirectory, lookAtDirectory } from '../opencode/output-files.ts'
import { listDirectory } from '../platform/files.ts'
import type { Routes } from './api/routes.ts'

/** In opencode's words to the model, at the end of an output. */
const saved = /\[full output saved to ([^\]\n]+)\]/g

type Opencode = Pick<Home, 'env' | 'userHome'>

const shellOutputs = ({ env, userHome }: Opencode) => path.join(dataDirectory(env, userHome), 'shell')
const toolOutputs = ({ env, userHome }: Opencode) => path.join(dataDirectory(env, userHome), 'tool-output')

export function closeOutputs(home: Home): void {
  for (const directory of [shellOutputs(home), toolOutputs(home)]) closeDirectory(home, directory)
}

/** The files that the commands of a session and its sub-agents left there. Throws KugetsuError when it cannot tell. */
export async function outputsOf(home: Home, routes: Routes, id: string): Promise<string[]> {
  const sessions = [id, ...(await routes.children(id)).map((child) => child.id)]
  const named: string[] = []
  for (const session of sessions) {
    for (const { content = [] } of (await routes.messages(session)) ?? []) named.push(...content.flatMap(outputsIn))
  }
  return [...new Set(named)].filter((file) => isOutput(home, file))
}

function outputsIn(call: { type: string }): string[] {
  const texts = listAt(recordAt(call, 'state'), 'content').map((each) => textAt(each, 'text') ?? '')
  return texts.flatMap((text) => [...text.matchAll(saved)].map(([, file = '']) => file))
}

/** A command can print the same words about any file. */
function isOutput(home: Opencode, file: string): boolean {
  const directory = path.dirname(path.resolve(file))
  if (directory === toolOutputs(home)) return /^tool_\w+$/.test(path.basename(file))
  return path.dirname(directory) === shellOutputs(home) && /^sh_\w+\.out$/.test(path.basename(file))
}

export function lookAtOutputs(home: Home): ReturnType<typeof lookAtDirectory> {
  return lookAtDirectory(shellOutputs(home), (directory) =>
    listDirectory(directory).flatMap((project) =>
      listDirectory(path.join(directory, project)).map((name) => path.join(directory, project, name)),
    ),
  )
}
