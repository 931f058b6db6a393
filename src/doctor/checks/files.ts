/** Files that cannot be understood, and files that dead processes have left. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import type { Paths } from '../../config/paths.ts'
import { counted } from '../../core/wording.ts'
import { listDirectory, removeFile } from '../../platform/files.ts'
import { identify } from '../../platform/processes.ts'
import { isLeftTemporary, sweepTemporary } from '../../git/temporary.ts'
import { writtenDirectories } from '../../queue/places.ts'
import { byItself, fail, pass, some, warn, type Check } from '../check.ts'

/** A writer in another pid namespace cannot be seen from here, and still needs its temporary file for a moment. */
const quietMs = 60_000

const files: Check = {
  name: 'files',
  look: async ({ home, unreadable, damagedTasks }) => {
    const broken = [...unreadable(), ...(await damagedTasks())]
    if (broken.length > 0) {
      return fail(
        `${some(broken)} cannot be understood`,
        'Repair it by hand now. Otherwise the next command that reads it renames it and continues without it.',
      )
    }
    const aside = stateDirectories(home.paths).flatMap((directory) =>
      listDirectory(directory)
        .filter((name) => name.includes('.unreadable-'))
        .map((name) => path.relative(home.paths.home, path.join(directory, name))),
    )
    return aside.length === 0
      ? pass('all can be understood')
      : warn(
          `set aside because kugetsu could not understand ${aside.length === 1 ? 'it' : 'them'}: ${some(aside, 5)}`,
          'Keep what you need from it, then delete it. kugetsu never deletes it.',
        )
  },
}

const temporary: Check = {
  name: 'temporary',
  look: ({ home }) => {
    const left = [...leftFiles(home), ...leftDirectories(home.paths)]
    const names = left.map((file) => path.relative(home.paths.home, file))
    return left.length === 0
      ? pass('nothing was left behind')
      : warn(`${counted(left.length, 'file')} left by processes that died: ${some(names)}`, byItself)
  },
  fix: async (home) => {
    const before = [...leftFiles(home), ...leftDirectories(home.paths)]
    for (const file of leftFiles(home)) removeFile(file)
    for (const directory of leftDirectories(home.paths)) await sweepTemporary(placeOf(directory))
    const gone = before.filter((file) => !fs.existsSync(file))
    return gone.map((file) => `removed ${path.relative(home.paths.home, file)}, left by a process that died`)
  },
}

/** Files that a process was writing when it died: `.<name>.<pid>.<unique>`, as files.ts names them. */
function leftFiles({ paths }: Home): string[] {
  return stateDirectories(paths).flatMap((directory) =>
    listDirectory(directory).flatMap((name) => {
      const writer = /^\..+\.(\d{1,10})\.[0-9a-z]+$/.exec(name)?.[1]
      if (writer === undefined || identify(Number(writer)) !== undefined) return []
      const file = path.join(directory, name)
      const stat = fs.lstatSync(file, { throwIfNoEntry: false })
      return stat?.isFile() === true && Date.now() - stat.mtimeMs > quietMs ? [file] : []
    }),
  )
}

/** Clones and worktrees left half made or half deleted. The work in a deleted one was saved before its deletion. */
function leftDirectories({ worktrees, repos }: Paths): string[] {
  const look = (directory: string, depth: number): string[] =>
    listDirectory(directory).flatMap((name) => {
      const file = path.join(directory, name)
      if (isLeftTemporary(name)) return [file]
      const deeper = depth > 0 && !name.endsWith('.git') && !name.startsWith('.')
      return deeper && fs.lstatSync(file).isDirectory() ? look(file, depth - 1) : []
    })
  return [...look(worktrees, 0), ...look(repos, 20)]
}

/** The path that a temporary sibling belongs to. */
function placeOf(sibling: string): string {
  const name = path.basename(sibling).replace(/^\./, '')
  return path.join(path.dirname(sibling), name.replace(/\.\d+-\w*\.[0-9a-f]{8}\.tmp$/, ''))
}

function stateDirectories(paths: Paths): string[] {
  const { home, sessions, slots, locks, env, logs, queue, queueEnded, opencode } = paths
  return [home, sessions, slots, locks, env, logs, queue, ...writtenDirectories({ paths }), queueEnded, opencode]
}

export const fileChecks = { files, temporary }
