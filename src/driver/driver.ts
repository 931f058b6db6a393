/**
 * What kugetsu needs of the server of a coding agent. A driver knows one kind of server: its routes, events, tables and files
 * are known there alone (and in the plugin, which runs inside it). `choose.ts` picks the driver of a home.
 */
import type { Home } from '../config/home.ts'
import type { Client, Endpoint, PermissionRule } from './client.ts'

/** Named in state files; a file without it was written for `opencode`. */
export type DriverKind = 'opencode' | 'opencode2'

/** Agents to define in addition to the user's own, by name, in the form of opencode 1's configuration. */
export type AgentDefinitions = Record<string, object>

/** The capabilities of a driver without a server. */
export interface Driver {
  readonly kind: DriverKind
  /** From the oldest version to the first that it cannot drive; `named` is the newest for a person, as `1.x`. */
  readonly versions: { from: string; below: string; named: string; tested: string }
  /** Throws KugetsuError `bad_home` when such a server cannot work in the directories of a home. */
  requireWorkable(home: string): void
  /** Reads the files of kugetsu that launch() needs. */
  preload(): void
  /** Called before a server is launched; `sessions` are the ids of ours. Repairs its store. Never throws. */
  beforeLaunch(home: Home, sessions: () => string[]): void
  /**
   * Writes the files that a new server reads, and tells how to run the program. Called while the home has no server, and
   * before each boot. Throws KugetsuError `bad_config` when the user's own configuration cannot be added to.
   */
  launch(home: Home, own: Own): Launch
  /** What a person can do about a server that did not start, by what it wrote to its log; undefined in most cases. */
  bootHint(home: Home, log: string): string | undefined
  /** The `mark` of a server that would be launched now. */
  markFor(home: Home, program: string): string
  /**
   * Does the work that needs a newly booted server, before any other process finds it. Returns whether only this boot
   * has shown how to launch it well: then it is ended and launched again. Throws when the server does not answer.
   */
  afterLaunch(home: Home, endpoint: Endpoint, launched: Launched): Promise<boolean>
  /** Once an hour while the server runs: renews files that it reads again from time to time. */
  renewFiles(home: Home, launched: Launched): void
  /**
   * A client of a running server. Its calls throw KugetsuError `opencode_request` with what was asked and what came back, and
   * the reason of an aborted signal as it is.
   */
  connect(home: Home, endpoint: Endpoint, signal: AbortSignal | undefined): Client
  /** How long a command of an agent may take without a timeout of its own, in milliseconds, in the server with this pid. */
  commandTimeoutMs(pid: number): number
  /** Arguments and variables of the program's terminal interface, opened on a session of a running server. */
  attach(
    endpoint: Endpoint,
    session: { id: string; directory: string },
  ): { args: string[]; env: Record<string, string> }
  /** The same for the program's dialogue that logs in to a provider of models; without one, it asks which. */
  login(endpoint: Endpoint, provider: string | undefined): { args: string[]; env: Record<string, string> }
  /** The command by which a person logs in to a provider of models. */
  readonly loginCommand: string
  /** The providers that the user is logged in to and that a home's servers cannot use without a login of their own. */
  missingLogins(home: Home): string[]
  /**
   * The providers with a login that the user's own program and a home's servers both renew: one renewal can end the
   * other's login.
   */
  sharedLogins(home: Home): string[]
  /** The file of the database that it keeps its sessions in. */
  storeFile(home: Home): string
  /** What a person can do about a missing or unreadable file of the database. */
  storeHint(home: Home): string
  /** What it keeps of all sessions, read without a server; changes nothing. Undefined when it keeps none yet. Throws. */
  lookAtStore(home: Home): StoreLook | undefined
  /** Stores rules with sessions, also while no server runs; returns the ids of those that exist. Throws KugetsuError. */
  storeRules(home: Home, sessions: readonly { id: string; rules: PermissionRule[] }[]): string[]
  /** Removes its remains of a removed worktree that no session owns. Throws the system's errors. */
  forgetWorktree(home: Home, worktree: string): void
  /** The long outputs of agents' commands that it keeps as files, read without a server; undefined without any. */
  lookAtOutputs(home: Home): { directory: string; files: number; bytes: number; open: boolean } | undefined
  /** Keeps other users from reading those. Never throws. */
  closeOutputs(home: Home): void
  /** It loads the models of all providers: KUGETSU_MODEL_PROVIDERS has no effect. */
  readonly loadsAllModels: boolean
  /** The ids of all providers of models; undefined without such a list on disk. */
  knownProviders(home: Home): string[] | undefined
  /** Whether reading the project in a directory changes files there, so that it must not be read ahead of its agent. */
  isChangedByReading(directory: string): boolean
  /** Whether an ignored file or directory of a project, named as `git status` does, is one that reading makes there. */
  isMadeByReading(ignored: string): boolean
  /** The models (`provider/model`) and the agents for people that can be named, from files alone, sorted. */
  suggest(home: Home, what: 'models' | 'agents'): string[]
}

/** The facts for a new server. */
export interface Own {
  /** The fingerprint of the program, as `program.ts` gives it. */
  program: string
  password: string
  /** Value of KUGETSU_SERVER in its environment. */
  marker: string
  agents: AgentDefinitions
}

/** How a server was launched. */
export interface Launched {
  /** The fingerprint of its program. */
  program: string
  mark: string
}

export interface Launch {
  args: string[]
  env: NodeJS.ProcessEnv
  /** Tells this launch from others, empty for a plain one: an idle server with another mark is replaced. */
  mark: string
}

export interface StoreLook {
  /** What the store would need and does not have, by name. */
  missing: string[]
  /** The ids of all sessions. */
  sessions: ReadonlySet<string>
}
