/** A home in which every kind of state file is there, and how each of its files is told from the others. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { pathsOf, type Paths } from '../../src/config/paths.ts'
import { placesOf } from '../../src/queue/places.ts'
import { currentProcess } from '../../src/platform/processes.ts'

const long = 'x'.repeat(300)
const at = '2026-05-01T10:00:00.000Z'
export const issue = (number: number) => `forge.test/me/app#${number}`
export const queueIds = ['q_1777629600000', 'q_1777629600001', 'q_1777629600002', 'q_1777629600003']
const identity = { pid: 999_999_999, start_time: '1', boot_id: 'gone', pid_namespace: 'none' }

/** A file of the home. */
export interface StateFile {
  /** Below the home. */
  name: string
  content: string
  /** The issues, and the tasks, that may be unknown while it is spoiled. */
  issues?: number[]
  tasks?: string[]
  /** Only its name says something: what is in it is never read, and may go with it. */
  onlyName?: boolean
  /** Commands that may refuse, with an error, while it is spoiled: they cannot do without it. */
  mayFail?: string[]
}

const session = (number: number, more: object = {}) => ({
  type: 'forked',
  issue_ref: issue(number),
  opencode_session_id: `ses_${number}`,
  worktree_path: `/nowhere/worktrees/forge.test-me-app-${number}`,
  branch_name: `fix/issue-${number}`,
  base_branch: 'main',
  pr_url: `https://forge.test/me/app/pulls/${number}`,
  state: 'idle',
  created_at: at,
  updated_at: at,
  last_error: null,
  model: null,
  cost: 0.25,
  tokens: { input: 3, output: 4 },
  future: { of: ['a', 'later', { version: 2 }] },
  ...more,
})
const run = {
  slot: 'mine',
  message_ids: ['msg_1'],
  started_at: at,
  deadline_at: '2030-05-01T10:00:00.000Z',
  interruptions: 0,
  server: 'gone',
  queue_item: queueIds[1],
}
const item = (id: string, number: number, more: object) => ({
  id,
  kind: 'dev',
  issue_ref: issue(number),
  message: `do it ${long}`,
  state: 'pending',
  priority: 0,
  pending_since: at,
  attempts: [],
  mentions: [{ said: 'app#1', issue_refs: [issue(1)] }],
  ...more,
})
const ended = { started_at: at, ended_at: at, outcome: 'completed', reason: null }
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
const sessionFile = (number: number, more: object = {}): StateFile => ({
  name: `sessions/forge.test-me-app-${number}.json`,
  content: json(session(number, more)),
  issues: [number],
  mayFail: [`context ${number}`, `logs ${number}`, `explain ${number}`],
})
const itemFile = (index: number, number: number, more: object): StateFile => {
  const id = queueIds[index] ?? ''
  return {
    name: `queue/items/${id}.json`,
    content: json(item(id, number, more)),
    tasks: [id],
    mayFail: [`show ${index}`],
  }
}

/** Every state file. */
export const stateFiles: StateFile[] = [
  {
    name: 'config',
    content: `# settings\nMAX_CONCURRENT_AGENTS=2\nKUGETSU_BASE_BRANCH="main"\ndeclare -A GIT_SERVERS=(["old"]="https://old.test")\n# ${long}\n`,
    mayFail: ['status', 'context 1', 'server list', 'enqueue', 'tick', 'show 0', 'start', 'logs 1', 'explain 1'],
  },
  {
    name: 'index.json',
    content: json({
      base: 'ses_base',
      pm_agent: 'ses_pm',
      issues: Object.fromEntries([1, 2, 3].map((number) => [issue(number), `forge.test-me-app-${number}.json`])),
    }),
    mayFail: ['list', 'list as text', 'status', 'enqueue', 'start', 'context 1', 'logs 1', 'explain 1', 'tick'],
  },
  {
    name: 'sessions/base.json',
    content: json({
      type: 'base',
      opencode_session_id: 'ses_base',
      worktree_path: null,
      created_at: at,
      state: 'idle',
    }),
    mayFail: ['enqueue', 'start', 'status'],
  },
  {
    name: 'sessions/pm-agent.json',
    content: json({ type: 'pm_agent', opencode_session_id: 'ses_pm', created_at: at, state: 'idle' }),
    mayFail: ['status'],
  },
  sessionFile(1),
  sessionFile(2, { state: 'running', run }),
  sessionFile(3, { state: 'error', last_error: 'it failed' }),
  itemFile(0, 4, {}),
  itemFile(1, 2, { state: 'notified', notified_at: at, attempts: [{ ...ended, ended_at: null, outcome: null }] }),
  itemFile(2, 1, {
    state: 'completed',
    completed_at: at,
    attempts: [ended],
    result: { branch: 'fix/issue-1', commits: 2, cost: 0.1, pr_url: null, answer: 'done' },
  }),
  itemFile(3, 3, { state: 'error', completed_at: at, error: 'it failed', attempts: [{ ...ended, outcome: 'error' }] }),
  { name: 'queue/numbers/1777629600003', content: '', onlyName: true },
  {
    name: `queue/ended/${queueIds[1]}.json`,
    content: json({
      session: 'forge.test-me-app-2',
      slot: 'mine',
      state: 'idle',
      error: null,
      stopped: false,
      never_began: false,
      ended_at: at,
      opencode_session_id: 'ses_2',
      cost: 0.1,
      branch: null,
      base_branch: null,
      worktree_path: null,
      pr_url: null,
      answer: 'done',
    }),
  },
  {
    name: 'slots/mine.slot',
    content: json({ issue_ref: issue(2), session: 'forge.test-me-app-2', owner: currentProcess(), taken_at: at }),
  },
  { name: 'slots/mine.held', content: '' },
  {
    name: 'starts/forge.test-me-app-4.json',
    content: json({ issue_ref: issue(4), owner: currentProcess(), remote: 'https://forge.test/me/app', since: at }),
  },
  { name: 'slots/mine.run', content: json(session(2, { state: 'running', run })) },
  { name: 'queue/daemon.pid', content: '999999999\n' },
  {
    name: 'opencode/server.json',
    content: json({
      ...identity,
      port: 9,
      password: 'secret',
      version: '1.18.33',
      program: 'x',
      marker: 'gone',
      started_at: at,
    }),
    mayFail: ['status', 'tick'],
  },
  { name: 'opencode/booting.json', content: json({ marker: 'of a server that was never started' }) },
  {
    name: 'opencode/providers.json',
    content: json({ providers: ['scripted'], setup: 'of another day', variables: [] }),
  },
  { name: 'opencode/attached/999999999.json', content: JSON.stringify(identity) },
  {
    name: 'servers.json',
    content: json({
      default: 'forge.test',
      servers: [{ name: 'forge.test', url: 'file:///nowhere', type: 'gitea', api: 'https://forge.test/api/v1' }],
    }),
    mayFail: ['server list', 'enqueue', 'start', 'context 1', 'logs 1', 'explain 1'],
  },
  { name: 'repos.json', content: json({ 'forge.test/me/app': 'file:///nowhere/app.git' }), mayFail: ['start'] },
  {
    name: 'context/forge.test-me-app-1.json',
    content: json({
      issue_ref: issue(1),
      branch: 'fix/issue-1',
      entries: [
        { at, kind: 'asked', text: long, run: 'a' },
        { at, kind: 'answered', text: 'yes', run: 'a', outcome: 'idle' },
      ],
      left_out: 0,
    }),
    mayFail: ['context 1'],
  },
  { name: 'env/default.env', content: 'export GITEA_TOKEN="abcdefgh"\n', mayFail: ['env list', 'env show'] },
  { name: 'env/dev.env', content: `export DEV_TOKEN="ijklmnop"\n# ${long}\n`, mayFail: ['env list', 'env show'] },
  { name: 'env/pm-agent.env', content: 'export PM_TOKEN="qrstuvwx"\n', mayFail: ['env list', 'env show'] },
  {
    name: 'journal.jsonl',
    content: `${JSON.stringify({ at, decision: 'started', issue_ref: issue(1), reason: long })}\n`,
  },
  {
    name: 'activity.jsonl',
    content: [
      {
        id: 'task_completed_1',
        timestamp: at,
        type: 'task_completed',
        message: long,
        issue_ref: issue(1),
        read: false,
      },
      { id: 'task_error_3', timestamp: at, type: 'task_error', message: 'no', issue_ref: issue(3), future: 1 },
    ]
      .map((each) => `${JSON.stringify(each)}\n`)
      .join(''),
  },
  { name: 'activity-read.json', content: json({ read: ['task_completed_1'], future: 1 }) },
  {
    name: 'notifications.json',
    content: json([
      { id: 'n_1777629600000', timestamp: at, type: 'task_completed', message: long, issue_ref: issue(1), read: false },
      { id: 'n_1777629600001', timestamp: at, type: 'task_error', message: 'no', issue_ref: issue(3), future: 1 },
    ]),
  },
  {
    name: 'notifications.new/001777629600003-task_queued_q_1777629600003_0.json',
    content: json({
      id: 'task_queued_q_1777629600003_0',
      timestamp: at,
      type: 'task_queued',
      message: long,
      issue_ref: issue(3),
      queue_item: queueIds[3],
      read: false,
      future: { of: 'it' },
    }),
  },
  {
    name: 'closing.json',
    content: json({ owner: { pid: 1, start_time: '1', boot_id: 'earlier', pid_namespace: 'other' }, future: 1 }),
  },
  { name: 'said/QUEUE_DAEMON_BATCH_SIZE', content: '', onlyName: true },
  {
    name: 'queue.json',
    content: json({
      queue: [{ id: 'old', task: long, issue_ref: issue(5), status: 'done', created_at: 1_777_000_000 }],
    }),
  },
  { name: 'logs/dev-ses_1.log', content: `▶ task\n${long}\n`, mayFail: ['logs 1'] },
  { name: 'logs/.dev-ses_1.written', content: 'header 10\npart1 20\n' },
  { name: 'logs/delegate-q_1777629600009.log', content: 'told\n' },
  { name: 'logs/opencode-server.log', content: 'opencode server listening on http://127.0.0.1:9\n' },
  { name: 'queue/daemon.log', content: 'line one\nline two\n', mayFail: ['daemon logs'] },
  { name: 'locks/sessions.lock', content: '' },
  { name: 'locks/queue.lock', content: '' },
  { name: 'locks/opencode-server.lock', content: '' },
]

type Kind = 'file' | 'files' | 'one of many' | 'none'

/**
 * What each path of a home is: a file or a folder of files that stateFiles has, or none of them. Whoever adds a path has
 * to say here what it is.
 */
export const kinds: Record<keyof Paths, Kind> = {
  home: 'none',
  config: 'file',
  index: 'file',
  sessions: 'files',
  worktrees: 'none', // the agents'
  base: 'none', // empty
  repos: 'none', // git's
  mirror: 'none',
  mirrorLock: 'none', // as the others in locks/
  remembered: 'one of many',
  slots: 'files',
  closing: 'file',
  starts: 'files',
  locks: 'files',
  lock: 'one of many',
  env: 'files',
  repositories: 'file',
  servers: 'file',
  logs: 'files',
  delegation: 'one of many',
  transcript: 'one of many',
  serverLog: 'file',
  opencode: 'none', // its files are named below
  server: 'file',
  booting: 'file',
  attached: 'files',
  plugin: 'none', // written anew before every start of a server, never read
  catalogue: 'none', // the same
  wholeCatalogue: 'none', // opencode's answer, made again where it cannot be read
  connected: 'file',
  bin: 'none', // the same
  queue: 'none', // its files are named below
  queueEnded: 'files',
  dispatching: 'none', // there or not, never read
  daemonPid: 'file',
  daemonLock: 'none', // as the others in locks/
  daemonLog: 'file',
  daemonSocket: 'none', // a socket
  journal: 'file',
  activity: 'file',
  activityRead: 'file',
  notifications: 'file',
  notificationSpool: 'files',
  said: 'files',
}

/** The same for the places of the queue. */
const kindsOfQueue: Record<keyof ReturnType<typeof placesOf>, Kind> = {
  items: 'files',
  item: 'one of many',
  numbers: 'files',
  queueLock: 'file',
  oldQueue: 'file',
}

/** Fills the directory with all of it. */
export function makeFullHome(directory: string): void {
  for (const { name, content } of stateFiles) {
    const file = path.join(directory, name)
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    fs.writeFileSync(file, content, { mode: 0o600 })
  }
}

/** The paths of the home, by what they are, that no state file stands for. */
export function forgottenPaths(directory: string): string[] {
  const files = stateFiles.map(({ name }) => path.join(directory, name))
  const paths: Record<string, unknown> = { ...pathsOf(directory), ...placesOf({ paths: { home: directory } }) }
  return Object.entries({ ...kinds, ...kindsOfQueue }).flatMap(([key, kind]) => {
    const place = paths[key]
    if (kind === 'none' || kind === 'one of many' || typeof place !== 'string') return []
    const found = files.some((file) => (kind === 'file' ? file === place : path.dirname(file) === place))
    return found ? [] : [key]
  })
}
