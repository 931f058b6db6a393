/** The request for a start, and its result. */
import type { IssueText } from '../../agents/issue-section.ts'
import type { IssueRef } from '../../core/issue-ref.ts'
import type { Recovery } from '../cleanup/destroy.ts'
import type { SessionRecord } from '../file/session-file.ts'
import type { Server } from '../../server/server.ts'
import type { AdmittedStart } from './remote-wait.ts'

export interface StartRequest {
  ref: IssueRef
  /** What the agent is told; empty for the standard task. */
  message: string
  prUrl?: string | undefined
  base?: string | undefined
  /** `provider/model`, else the user's default. */
  model?: string | undefined
  agent?: string | undefined
  /** Begin anew: a new worktree and session, after the work in the old one was saved. */
  fresh?: boolean | undefined
  /** A person wants it at once, whatever the limit says. */
  now?: boolean | undefined
  /**
   * The queue item that asks for it. If an agent is at work already, the start fails with `running`. While the start waits
   * for a remote, it gives its slot away.
   */
  queueItem?: string | undefined
  /** Called when it begins to wait for a remote, and when it goes on. */
  onRemoteWait?: ((waits: boolean) => void) | undefined
}

/** A start on an issue that has no agent at work. */
export interface Beginning extends StartRequest {
  /** The name of its session. */
  name: string
  existing: SessionRecord | undefined
  /** The server that the agent is started in, once it is known. */
  used?: Server
  remote?: AdmittedStart
  /** What the issue says, where it was read. */
  issue?: IssueText | undefined
}

export interface Started {
  /** Set up from scratch; given a new task in its existing session; or told while it works. */
  how: 'started' | 'continued' | 'steered'
  name: string
  record: SessionRecord
  /** With `fresh`: where the work of the worktree before was saved, if there was any. */
  recovery?: Recovery | undefined
}
