/** What opencode writes into a project while it reads the configuration there, as 1.2 to 1.18 do. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { messageOf } from '../core/errors.ts'
import { readText } from '../platform/files.ts'

const configurations = ['opencode.json', 'opencode.jsonc', '.opencode/opencode.json', '.opencode/opencode.jsonc']

const instructions = ['AGENTS.md', 'CLAUDE.md', 'CONTEXT.md']

/** The files of the project in `directory` that opencode reads by itself: its configuration, and what agents are told. */
export function readByOpencode(directory: string): string[] {
  return [...configurations, ...instructions].map((name) => path.join(directory, name))
}

/** What opencode makes in `.opencode`. Its .gitignore makes git ignore these, unless the project has one of its own. */
const madeByItself = ['.gitignore', 'node_modules/', 'package.json', 'package-lock.json', 'bun.lock']

/**
 * Whether reading the configuration of the project in `directory` changes files of it. opencode adds a "$schema" to a
 * configuration without one, and may add the packages of plugins to a `.opencode` that is not as opencode makes it.
 */
export function isChangedByReading(directory: string): boolean {
  const lacksSchema = (name: string) => readText(path.join(directory, name))?.includes('"$schema"') === false
  const isThere = (name: string) => fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false }) !== undefined
  if (['.opencode/.gitignore', '.opencode/package.json'].some(isThere)) return true
  try {
    return configurations.some(lacksSchema)
  } catch {
    return true // it cannot be told
  }
}

/**
 * Why opencode cannot read the configuration of the project in `directory`, if kugetsu can see it: one of the files is a
 * directory, a link in a circle, or no text. Undefined otherwise. opencode itself only says "server error".
 */
export function unreadableConfiguration(directory: string): string | undefined {
  for (const name of configurations) {
    try {
      readText(path.join(directory, name))
    } catch (error) {
      return messageOf(error)
    }
  }
  return undefined
}

/** Whether opencode reads a file of this name, in any directory of a project, as the project's configuration. */
export function isConfigurationName(name: string): boolean {
  return name === 'opencode.json' || name === 'opencode.jsonc'
}

/** How opencode rewrites a configuration without a "$schema" when it reads it (`loadConfig` in its config.ts). */
export function withSchema(contents: Buffer): Buffer {
  const text = new TextDecoder().decode(contents) // leaves out a byte order mark, as opencode does
  return Buffer.from(text.replace(/^\s*\{/, '{\n  "$schema": "https://opencode.ai/config.json",'))
}

/** Whether an ignored file or directory, named as `git status` does, is one that opencode has made by itself. */
export function isMadeByReading(ignored: string): boolean {
  return ignored === '.opencode/' || madeByItself.some((name) => ignored === `.opencode/${name}`)
}
