import type { Home } from '../../config/home.ts'
import { listDirectory } from '../../platform/files.ts'

/** Something that nothing refers to any more. */
export interface Orphan {
  kind: 'session' | 'session_file' | 'index_entry' | 'worktree' | 'registration' | 'mirror' | 'recovery'
  issueRef: string | null
  /** Where it is, or its name. */
  what: string
  /** Why it is here. */
  why: string
  /** Why it cannot be removed now; empty when nothing would be lost. */
  reasons: () => Promise<string[]>
  /** Checks again where no other command can interfere, and removes it. Throws KugetsuError when it has to stay. */
  remove: () => Promise<void>
}

/** An unreadable session file that was set aside still counts: its worktree and session stay. */
export function asidesOf(home: Home, file: string): string[] {
  const aside = listDirectory(home.paths.sessions).find((name) => name.startsWith(`${file}.unreadable-`))
  return aside === undefined ? [] : [`cannot tell what its session file says, which was set aside as sessions/${aside}`]
}
