/** The files that opencode writes into a project while it reads the configuration there, as 1.2 to 1.18 do. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { messageOf } from '../core/errors.ts'
import { readText } from '../platform/files.ts'

const configurations = ['opencode.json', 'opencode.jsonc', '.opencode/opencode.json', '.opencode/opencode.jsonc']

const instructions = ['AGENTS.md', 'CLAUDE.md', 'CONTEXT.md']

/** Folders of which opencode reads all files: agents, commands, plugins, skills. */
const folders = ['.opencode', '.claude']
/** More files than such a folder has without the packages of plugins. */
const mostInFolder = 1_000

/**
 * The files of the project in `directory` that opencode reads by itself: its configuration, and what agents are told. Before
 * it gives a `file` to an agent, it reads the instructions in the directories above that file as well.
 */
export function readByOpencode(directory: string, file = directory): string[] {
  const named = [...configurations, ...instructions].map((name) => path.join(directory, name))
  const above = directoriesBetween(directory, file).flatMap((each) => instructions.map((name) => path.join(each, name)))
  return [...named, ...above, ...folders.flatMap((name) => filesIn(path.join(directory, name)))]
}

/** The directories from that of `file` up to, and without, `directory`; none for a file elsewhere. */
function directoriesBetween(directory: string, file: string): string[] {
  const parts = path.relative(directory, path.dirname(file)).split(path.sep)
  if (parts[0] === '' || parts[0] === '..') return []
  return parts.map((_, at) => path.join(directory, ...parts.slice(0, at + 1)))
}

/** All files below a folder, without those of packages. */
function filesIn(folder: string): string[] {
  const found: string[] = []
  const waiting = [folder]
  for (let at = waiting.pop(); at !== undefined && found.length < mostInFolder; at = waiting.pop()) {
    for (const entry of entriesOf(at)) {
      if (entry.name === 'node_modules') continue
      ;(entry.isDirectory() ? waiting : found).push(path.join(at, entry.name))
    }
  }
  return found
}

function entriesOf(directory: string): fs.Dirent[] {
  try {
    return fs.readdirSync(directory, { withFileTypes: true })
  } catch {
    return []
  }
}

/**
 * The files that opencode makes in `.opencode`. Its .gitignore makes git ignore these, unless the project has one of
 * its own.
 */
const madeByItself = ['.gitignore', 'node_modules/', 'package.json', 'package-lock.json', 'bun.lock']

/**
 * Whether reading the configuration of the project in `directory` changes files of it. opencode adds a "$schema" to a
 * configuration without one, and may add the packages of plugins to a `.opencode` unlike those that it makes itself.
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

/** Whether an ignored file or directory, named as `git status` does, is one that opencode has made by itself. */
export function isMadeByReading(ignored: string): boolean {
  return ignored === '.opencode/' || madeByItself.some((name) => ignored === `.opencode/${name}`)
}
