/** The home directory itself: its permissions, its configuration, disk and memory. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { codeOf } from '../../core/errors.ts'
import { counted } from '../../core/wording.ts'
import { memoryRoom, memoryShortage } from '../../sessions/slots/memory.ts'
import { reservations } from '../../sessions/slots/slots.ts'
import { byItself, fail, pass, some, warn, type Check } from '../check.ts'

const warnBelow = 1024 ** 3
const failBelow = 100 * 1024 ** 2

interface Loose {
  file: string
  directory: boolean
  /** Whether others could read a secret here, or change what agents do. */
  grave: boolean
  owned: boolean
}

const permissions: Check = {
  name: 'home',
  look: ({ home }) => {
    const { paths } = home
    const loose = looseIn(home)
    if (loose.length === 0) return pass(fs.existsSync(paths.home) ? paths.home : `${paths.home} (not there yet)`)
    const detail = `${some(loose.map(({ file }) => path.relative(paths.home, file) || paths.home))} can be read by other users, or ${loose.length === 1 ? 'belongs' : 'belong'} to them`
    if (loose.some(({ owned }) => !owned)) return fail(detail, `Make them yours: chown -R "$(id -un)" ${paths.home}`)
    return loose.some(({ grave }) => grave) ? fail(detail, byItself) : warn(detail, byItself)
  },
  fix: async (home) => {
    const mine = looseIn(home).filter(({ owned }) => owned)
    for (const { file, directory } of mine) fs.chmodSync(file, directory ? 0o700 : 0o600)
    return mine.length === 0 ? [] : [`made ${counted(mine.length, 'file')} and directories readable by you alone`]
  },
}

/**
 * Directories other than 0700, files other than 0600, and all that are not ours. The contents of mirrors and worktrees
 * are not checked: they belong to git and the agents, and their parent directories keep others out.
 */
function looseIn({ paths }: Home): Loose[] {
  const own = process.getuid?.()
  const secret = (file: string) => file === paths.server || path.dirname(file) === paths.env
  const found: Loose[] = []
  const look = (file: string) => {
    const stat = fs.lstatSync(file, { throwIfNoEntry: false })
    if (stat === undefined || stat.isSymbolicLink()) return
    const mode = stat.mode & 0o777
    const directory = stat.isDirectory()
    const owned = own === undefined || stat.uid === own
    if ((mode & 0o077) !== 0 || !owned) {
      const writable = (mode & 0o022) !== 0
      found.push({ file, directory, owned, grave: writable || !owned || (secret(file) && (mode & 0o044) !== 0) })
    }
    if (!directory || [paths.repos, paths.worktrees, paths.base].includes(file)) return
    for (const name of namesIn(file)) look(path.join(file, name))
  }
  look(paths.home)
  return found
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'EACCES') return []
    throw error
  }
}

const config: Check = {
  name: 'config',
  look: ({ home, settings }) => {
    const { warnings, gone, mistyped, maxConcurrentAgents } = settings()
    const odd = [...warnings, ...gone.values(), ...mistyped.values()]
    if (odd.length > 0) return warn(odd.join('; '), `Correct it in ${home.paths.config}.`)
    const where = fs.existsSync(home.paths.config) ? home.paths.config : 'no file: every setting has its default'
    return pass(`${where}, up to ${counted(maxConcurrentAgents, 'agent')} at once`)
  },
}

const disk: Check = {
  name: 'disk',
  look: ({ home }) => {
    const { bavail, bsize } = fs.statfsSync(existing(home.paths.home))
    const free = bavail * bsize
    const detail = `${size(free)} free`
    const mend = 'Free some space; "kugetsu destroy" removes worktrees that are no longer needed.'
    return free < failBelow ? fail(detail, mend) : free < warnBelow ? warn(detail, mend) : pass(detail)
  },
}

const memory: Check = {
  name: 'memory',
  look: ({ home }) => {
    const room = memoryRoom(home, reservations(home))
    const shortage = memoryShortage(room)
    const mend = 'New work waits: end other programs, or lower MIN_FREE_MEMORY_MB.'
    if (shortage !== undefined) return warn(shortage, mend)
    if (room.neededMb === 0) return pass('not checked (MIN_FREE_MEMORY_MB=0)')
    if (room.availableMb === undefined) return pass('not known on this system, so not checked')
    return pass(`${room.availableMb} MB available, ${room.neededMb} MB needed for one more agent`)
  },
}

function existing(directory: string): string {
  const parent = path.dirname(directory)
  return fs.existsSync(directory) || parent === directory ? directory : existing(parent)
}

function size(bytes: number): string {
  return bytes < 1024 ** 3 ? `${Math.floor(bytes / 1024 ** 2)} MiB` : `${(bytes / 1024 ** 3).toFixed(1)} GiB`
}

export const homeChecks = { permissions, config, disk, memory }
