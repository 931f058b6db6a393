import * as path from 'node:path'
import { fileNameOf } from '../core/issue-names.ts'
import type { Repository } from '../core/issue-ref.ts'

/** Where everything of one kugetsu home lives; docs/state.md describes each file. */
export type Paths = ReturnType<typeof pathsOf>

/** The home: `KUGETSU_DIR`, else `~/.kugetsu`, absolute. */
export function homeDirectory(env: NodeJS.ProcessEnv, userHome: string): string {
  const chosen = env['KUGETSU_DIR']
  return chosen === undefined || chosen === '' ? path.join(userHome, '.kugetsu') : path.resolve(chosen)
}

/** The paths of the home at `home` (absolute, as path.resolve gives it). */
export function pathsOf(home: string) {
  // path.join reads every character. For all of these, at every command, that takes as long as reading a dozen files.
  const at = (...parts: string[]) => [home, ...parts].join(path.sep)
  return {
    home,
    config: at('config'),
    index: at('index.json'),
    sessions: at('sessions'),
    worktrees: at('worktrees'),
    /** The directory of the base and PM agent sessions: empty, so that no project's context gets into the forks. */
    base: at('base'),
    repos: at('repos'),
    /** The lock of everything that writes to a repository's mirror. */
    mirrorLock: (repository: Repository) => at('locks', `mirror-${fileNameOf(repository)}.lock`),
    mirror: (of: Repository) => at('repos', of.host, ...of.owner.split('/'), `${of.repo}.git`),
    /** The questions and answers of an issue. */
    remembered: (name: string) => at('context', `${name}.json`),
    slots: at('slots'),
    /** Exists while a process ends all agents. */
    closing: at('closing.json'),
    /** The starts that wait for a remote. */
    starts: at('starts'),
    locks: at('locks'),
    lock: (name: string) => at('locks', `${name}.lock`),
    env: at('env'),
    repositories: at('repos.json'),
    servers: at('servers.json'),
    logs: at('logs'),
    /** The outcome of a message to the PM agent, by its queue item. */
    delegation: (item: string) => at('logs', `delegate-${item}.log`),
    transcript: (sessionId: string) => at('logs', `dev-${sessionId}.log`),
    serverLog: at('logs', 'opencode-server.log'),
    opencode: at('opencode'),
    server: at('opencode', 'server.json'),
    booting: at('opencode', 'booting.json'),
    attached: at('opencode', 'attached'),
    plugin: at('opencode', 'environment.js'),
    /** The models that the server knows, when it does not know all. */
    catalogue: at('opencode', 'models.json'),
    /** All models that opencode knows, when it has no file with them itself. */
    wholeCatalogue: at('opencode', 'all-models.json'),
    /** The providers with models that opencode can use, as opencode reported. */
    connected: at('opencode', 'providers.json'),
    /** The directory at the front of the agents' search path. */
    bin: at('opencode', 'bin'),
    queue: at('queue'),
    /** How the runs of items ended, until the items say so themselves. */
    queueEnded: at('queue', 'ended'),
    /** Exists while tasks are to be taken from the queue, whichever daemon runs. */
    dispatching: at('queue', 'dispatching'),
    daemonPid: at('queue', 'daemon.pid'),
    daemonLock: at('queue', 'daemon.lock'),
    daemonLog: at('queue', 'daemon.log'),
    daemonSocket: at('queue', 'daemon.sock'),
    journal: at('journal.jsonl'),
    /** The notifications, one a line. */
    activity: at('activity.jsonl'),
    /** The ids of the read ones. */
    activityRead: at('activity-read.json'),
    /** Those of kugetsu 0.1.0 and of the bash tool. */
    notifications: at('notifications.json'),
    notificationSpool: at('notifications.new'),
    /** The messages that are said only once. */
    said: at('said'),
  }
}
