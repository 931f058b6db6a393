/** Reads the configuration of a mirror from its file, without a process, if it is written as git usually writes it. */
import * as path from 'node:path'
import { readText } from '../platform/files.ts'

/** By name, section and last part in lower case: `remote.origin.url`. The last value of each. */
export type MirrorConfig = ReadonlyMap<string, string>

/**
 * The settings in the file of the mirror (git-config(1), "Syntax"). Undefined when a line is not plainly one setting, or
 * when a setting leads to other files: then git has to be asked.
 */
export function readMirrorConfig(mirror: string): MirrorConfig | undefined {
  const settings = new Map<string, string>()
  let section = ''
  for (const line of textOf(mirror)?.split('\n') ?? ['?']) {
    if (/^\s*([#;].*)?$/.test(line)) continue
    const header = /^\[([a-z][a-z0-9-]*)(?: "([^"\\]*)")?\]$/i.exec(line)
    const setting = /^\s+([a-z][a-z0-9-]*) = ([^"\\#;\r]*)$/i.exec(line)
    if (header !== null) section = [header[1]?.toLowerCase(), header[2]].filter((part) => part !== undefined).join('.')
    else if (setting !== null) settings.set(`${section}.${setting[1]?.toLowerCase()}`, (setting[2] ?? '').trim())
    else return undefined
    if (/^(include|includeif)(\.|$)/.test(section)) return undefined
  }
  return settings
}

function textOf(mirror: string): string | undefined {
  try {
    return readText(path.join(mirror, 'config'))
  } catch {
    return undefined
  }
}
