/** Recovery refs, `refs/kugetsu/recovery/<name>/<time>`: outside of what a fetch prunes, and kept by gc. */
import { KugetsuError } from '../core/errors.ts'
import { type GitOptions, inMirror, runGit } from './git.ts'
import type { SavedRecord } from './saved-work.ts'

export const recoveryPrefix = 'refs/kugetsu/recovery/'

/** How long saved work is kept at least. */
export const recoveryDays = 30

const dayMs = 86_400_000

/** The ref under which work is saved at `now`; `name` is the file name form of an issue ref. */
export function recoveryRef(name: string, now: Date): string {
  const safe = name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[.-]+|\.+$|\.lock$/g, '')
  return `${recoveryPrefix}${safe === '' ? 'unnamed' : safe}/${now.toISOString().replace(/[:.]/g, '-')}`
}

export interface RecoveryPoint {
  ref: string
  commit: string
  /** The first eight digits of the commit, by which a person names it. */
  id: string
  /** The file name form of the issue ref. */
  name: string
  /** When it was saved, and when it may be removed. */
  savedAt: Date
  expiresAt: Date
  summary: string
  /** What it says about itself; undefined for a commit that was only given a ref. */
  record: SavedRecord | undefined
}

/** What is saved in a mirror, newest first. Throws KugetsuError when git fails. */
export async function listRecovery(options: GitOptions & { mirror: string }): Promise<RecoveryPoint[]> {
  const fields = ['refname', 'objectname', 'committerdate:iso-strict', 'contents:subject', 'contents:body']
  const format = `--format=${fields.map((field) => `%(${field})`).join('%00')}%00%01`
  const text = await runGit(['for-each-ref', format, recoveryPrefix], inMirror({ ...options, path: options.mirror }))
  const records = text.split('\0\u0001').filter((record) => record.trim() !== '')
  if (records.length === 0) return []
  const { recordIn } = await import('./saved-work.ts')
  const points = records.map((record) => {
    const [ref = '', commit = '', committed = '', summary = '', body = ''] = record.replace(/^\n/, '').split('\0')
    const [name = '', time = ''] = ref.slice(recoveryPrefix.length).split('/')
    const savedAt = timeIn(time) ?? new Date(committed)
    const expiresAt = new Date(savedAt.getTime() + recoveryDays * dayMs)
    return { ref, commit, id: commit.slice(0, 8), name, savedAt, expiresAt, summary, record: recordIn(body) }
  })
  return points.sort((a, b) => b.savedAt.getTime() - a.savedAt.getTime())
}

/** Removes a recovery ref, unless it points elsewhere by now. Throws KugetsuError when git fails. */
export async function dropRecovery(options: GitOptions & { mirror: string }, point: RecoveryPoint): Promise<void> {
  await runGit(['update-ref', '-d', point.ref, point.commit], {
    ...inMirror({ ...options, path: options.mirror }),
    failure: { message: `cannot remove ${point.ref}`, code: 'git_failed' },
  })
}

/** The one that a person means by an id, a part of it that no other begins with, or a ref; undefined when none is meant. */
export function pointNamed<T extends RecoveryPoint>(points: readonly T[], text: string): T | undefined {
  const whole = points.find(({ ref, commit }) => ref === text || commit === text)
  if (whole !== undefined) return whole
  // No less, or the number of an issue would be taken for one.
  if (!/^[0-9a-f]{7,64}$/.test(text)) return undefined
  const found = points.filter(({ commit }) => commit.startsWith(text))
  // Saved twice, by a command that was killed before it could remove it and the one after: it is the same work.
  if (new Set(found.map(({ commit }) => commit)).size < 2) return found[0]
  throw new KugetsuError(`${text} fits ${found.length} recovery points`, {
    hint: `Say more of it: ${found.map(({ commit }) => commit.slice(0, 16)).join(', ')}`,
    code: 'ambiguous_recovery',
  })
}

/** The time in a ref, which counts even where the commit is older. */
function timeIn(text: string): Date | undefined {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d)-(\d{3}Z)$/.exec(text)
  return parts === null ? undefined : new Date(`${parts[1]}:${parts[2]}:${parts[3]}.${parts[4]}`)
}
