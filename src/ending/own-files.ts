/** The files of a home that are kugetsu's own, by their names. Everything else in a home is a person's, and stays. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { codeOf } from '../core/errors.ts'
import { isLeftTemporary, removeTree } from '../git/temporary.ts'

/** Names by folder, as docs/state.md describes them; `''` is the home. A folder not named here is looked into. */
const names: Record<string, RegExp> = {
  '': /^(config|index\.json|servers\.json|repos\.json|closing\.json|activity-read\.json|notifications\.json|queue\.json|(journal|activity)\.jsonl(\.1)?)$/,
  sessions: /\.json$/,
  context: /\.json$/,
  slots: /\.(slot|held|run)$|^admission(\.lock)?$/,
  starts: /\.json$/,
  locks: /\.(lock|fetches)$/,
  env: /^(default|dev|pm-agent)\.env$/,
  logs: /^(dev-.+|delegate-.+|opencode-server)\.log(\.1)?$|^\.(dev|delegate)-.+\.written$/,
  queue: /^(dispatching|queue\.lock|daemon\.(pid|lock|sock|log(\.1)?))$/,
  'queue/items': /\.json$/,
  'queue/numbers': /^\d+$/,
  'queue/ended': /\.json$/,
  'notifications.new': /\.json$/,
  said: /^[A-Z_]+$/,
  opencode:
    /^(server|booting|models|providers|all-models)\.json$|^environment\.js$|^opencode2\.db(-wal|-shm|-journal)?$/,
  'opencode/attached': /\.json$/,
  'opencode/bin': /^kugetsu$/,
  'opencode/plugin': /^(environment|index)\.js$/,
  base: /^$/,
  worktrees: /^$/,
  repos: /^$/,
}

/** What kugetsu sets aside or writes on the way: `<name>.unreadable-<time>`, `.<name>.<pid>.<unique>`. */
const added = /\.unreadable-[\dTZ]+-\w+$|^\.(.+)\.\d+\.[0-9a-z]+$/

/** The folders and files to remove last: with the index gone, nothing is known of what else there was. */
const last = /^(index\.json|closing\.json|locks)$/

/**
 * Removes kugetsu's own files from a home, and the folders that are empty then, also the home. Returns what stays, by path.
 * `keepLast`: not the index, and not the locks.
 */
export async function removeOwnFiles(home: string, keepLast: boolean): Promise<string[]> {
  const left: string[] = []
  await clear('')
  return left

  /** Clears a folder; true when it is empty then. */
  async function clear(folder: string): Promise<boolean> {
    let isEmpty = true
    for (const entry of entriesOf(path.join(home, folder))) {
      const inside = folder === '' ? entry.name : `${folder}/${entry.name}`
      const place = path.join(home, inside)
      if (keepLast && last.test(inside)) isEmpty = false
      else if (entry.isDirectory() && isLeftTemporary(entry.name) && /^(worktrees|repos)\b/.test(folder)) {
        isEmpty = (await removeTree(place)) && isEmpty
      } else if (entry.isDirectory() && isFolder(inside)) {
        if ((await clear(inside)) && removeFolder(place)) continue
        isEmpty = false
      } else if (!entry.isDirectory() && isOwn(folder, entry.name)) fs.rmSync(place, { force: true })
      else {
        left.push(place)
        isEmpty = false
      }
    }
    return folder === '' && isEmpty ? removeFolder(home) : isEmpty
  }
}

/** Folders that kugetsu makes: those with names of their own, and those of hosts and owners. */
function isFolder(folder: string): boolean {
  if (folder.startsWith('repos/')) return !/\.git(\.saved$|\.unreadable-|$)/.test(path.basename(folder))
  return (
    Object.keys(names).some((known) => known === folder || known.startsWith(`${folder}/`)) ||
    /^slots\/admission\.lock$/.test(folder)
  )
}

function isOwn(folder: string, name: string): boolean {
  const known = names[folder]
  if (known === undefined) return false
  const plain = added.exec(name)?.[1] ?? name.replace(added, '')
  return known.test(name) || known.test(plain)
}

function entriesOf(folder: string): fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** False when it is not empty (somebody has put something into it just now), or is a link or a mounted place. */
function removeFolder(folder: string): boolean {
  try {
    fs.rmdirSync(folder)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true
    if (['ENOTEMPTY', 'ENOTDIR', 'EBUSY', 'EPERM', 'EACCES'].includes(codeOf(error) ?? '')) return false
    throw error
  }
}
