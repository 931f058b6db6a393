import type { Home } from '../../config/home.ts'
import { messageOf } from '../../core/errors.ts'
import { listEntries, type WorktreeEntry } from '../../git/worktree-entries.ts'
import { listDirectory } from '../../platform/files.ts'
import type { Keeping } from '../../worktrees/at-risk/describe.ts'
import { listMirrors, type MirrorOfHome } from '../../worktrees/mirror/list.ts'

/** Something that nothing refers to any more. */
export interface Orphan {
  kind: 'session' | 'session_file' | 'index_entry' | 'worktree' | 'registration' | 'mirror' | 'recovery'
  issueRef: string | null
  /** Where it is, or its name. */
  what: string
  /** Why it is here. */
  why: string
  /** Why it cannot be removed now. */
  look: () => Promise<Keeping>
  /** Checks again where no other command can interfere, and removes it. Throws KugetsuError when it has to stay. */
  remove: () => Promise<void>
}

/** The mirrors of a home with their entries of worktrees. */
export interface Mirrors {
  mirrors: (MirrorOfHome & { entries: WorktreeEntry[] })[]
  /** Why the entries of a mirror could not be read; the mirror is left out then. */
  unread: string | undefined
}

/** Reads them. A mirror with entries that cannot be read is named in a warning and left out. */
export function readMirrors(home: Home): Mirrors {
  let unread: string | undefined
  const mirrors = listMirrors(home.paths).flatMap((mirror) => {
    try {
      return [{ ...mirror, entries: listEntries(mirror.path).map((entry) => ({ ...entry })) }]
    } catch (error) {
      unread = messageOf(error)
      home.warn(`the mirror ${mirror.path} stays with its worktrees: ${unread}`)
      return []
    }
  })
  return { mirrors, unread }
}

/** An unreadable session file that was set aside still counts: its worktree and session stay. */
export function asidesOf(home: Home, file: string): Keeping {
  const aside = listDirectory(home.paths.sessions).find((name) => name.startsWith(`${file}.unreadable-`))
  if (aside === undefined) return { reasons: [], isUnclear: false }
  return {
    reasons: [`cannot tell what its session file says, which was set aside as sessions/${aside}`],
    isUnclear: true,
  }
}
