/**
 * Recovery refs, `refs/kugetsu/recovery/<name>/<time>`, in the repository beside the mirror (saved-repository.ts). Homes of
 * version 0.1 have some in the mirror itself; those count as well, until moveOldSaved() moves them.
 */
import * as fs from 'node:fs'
import { savedRepositoryOf } from './list.ts'
import { KugetsuError } from '../../core/errors.ts'
import type { GitRepository } from '../../git/repository.ts'
import { mayHaveRefs } from '../../git/refs.ts'
import { recordIn, type SavedRecord } from './saved-work.ts'

export const recoveryPrefix = 'refs/kugetsu/recovery/'

/**
 * Refs of public commits that saved work is based on, `refs/kugetsu/public/<name>/<time>/<number>`. They publish nothing.
 */
export const publicPrefix = 'refs/kugetsu/public/'

/** The minimum time for which saved work is kept. */
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
  /** The repository that has the ref. */
  repository: string
  /** The first eight digits of the commit, as people name it. */
  id: string
  /** The file name form of the issue ref. */
  name: string
  /** When it was saved, and when it may be removed. */
  savedAt: Date
  expiresAt: Date
  summary: string
  /** What the commit says about itself; undefined for a commit that was only given a ref. */
  record: SavedRecord | undefined
}

/** The saved work of a mirror, newest first. Throws KugetsuError when git fails. */
export async function listRecovery(mirror: GitRepository): Promise<RecoveryPoint[]> {
  const lists = await Promise.all(repositoriesOf(mirror).map(listIn))
  return lists.flat().sort((a, b) => b.savedAt.getTime() - a.savedAt.getTime())
}

/** Whether a commit of the mirror is behind a recovery ref. Throws KugetsuError when git fails. */
export async function isSaved(mirror: GitRepository, commit: string): Promise<boolean> {
  const args = ['for-each-ref', '--count=1', `--contains=${commit}`, recoveryPrefix]
  const found = repositoriesOf(mirror).map((repository) => repository.git(args))
  return (await Promise.all(found)).some((text) => text !== '')
}

/** The repositories that may have recovery refs of a mirror. */
function repositoriesOf(mirror: GitRepository): GitRepository[] {
  const saved = mirror.at(savedRepositoryOf(mirror.path))
  return [...(fs.existsSync(saved.path) ? [saved] : []), ...(mayHaveRefs(mirror.path, recoveryPrefix) ? [mirror] : [])]
}

async function listIn(repository: GitRepository): Promise<RecoveryPoint[]> {
  const fields = ['refname', 'objectname', 'committerdate:iso-strict', 'contents:subject', 'contents:body']
  const format = `--format=${fields.map((field) => `%(${field})`).join('%00')}%00%01`
  const text = await repository.git(['for-each-ref', format, recoveryPrefix])
  const records = text.split('\0\u0001').filter((record) => record.trim() !== '')
  if (records.length === 0) return []
  return records.map((record) => {
    const [ref = '', commit = '', committed = '', summary = '', body = ''] = record.replace(/^\n/, '').split('\0')
    const [name = '', time = ''] = ref.slice(recoveryPrefix.length).split('/')
    const savedAt = timeIn(time) ?? new Date(committed)
    const expiresAt = new Date(savedAt.getTime() + recoveryDays * dayMs)
    const id = commit.slice(0, 8)
    return { ref, commit, repository: repository.path, id, name, savedAt, expiresAt, summary, record: recordIn(body) }
  })
}

/**
 * The point that a person means by an id, a unique beginning of an id, or a ref; undefined when no point fits. Throws
 * KugetsuError `ambiguous_recovery` when several do.
 */
export function pointNamed<T extends RecoveryPoint>(points: readonly T[], text: string): T | undefined {
  const whole = points.find(({ ref, commit }) => ref === text || commit === text)
  if (whole !== undefined) return whole
  // Fewer digits could be the number of an issue.
  if (!/^[0-9a-f]{7,64}$/.test(text)) return undefined
  const found = points.filter(({ commit }) => commit.startsWith(text))
  // Saved twice, by a command that was killed before the removal and by the next one: it is the same work.
  if (new Set(found.map(({ commit }) => commit)).size < 2) return found[0]
  throw new KugetsuError(`${text} fits ${found.length} recovery points`, {
    hint: `Give more of its id: ${found.map(({ commit }) => commit.slice(0, 16)).join(', ')}`,
    code: 'ambiguous_recovery',
  })
}

/** The time in a ref. It counts even if the commit is older. */
function timeIn(text: string): Date | undefined {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d)-(\d{3}Z)$/.exec(text)
  return parts === null ? undefined : new Date(`${parts[1]}:${parts[2]}:${parts[3]}.${parts[4]}`)
}
