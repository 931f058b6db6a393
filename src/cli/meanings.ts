/** Names that kugetsu does not take, but of which it can tell the meaning. Loaded for a wrong name only. */
import { within } from '../core/similar.ts'
import { statuses } from '../sessions/status/status.ts'

/** What a word of another tool means here, as it is typed after `kugetsu`. */
const meanings: Readonly<Record<string, string>> = {
  abort: 'stop',
  cancel: 'stop',
  pause: 'stop',
  interrupt: 'stop',
  add: 'start',
  begin: 'start',
  create: 'start',
  launch: 'start',
  new: 'start',
  run: 'start',
  spawn: 'start',
  message: 'continue',
  reply: 'continue',
  say: 'continue',
  send: 'continue',
  steer: 'continue',
  tell: 'continue',
  answer: 'continue',
  agents: 'list',
  issues: 'list',
  sessions: 'list',
  top: 'list --watch',
  watch: 'list --watch',
  follow: 'logs -f',
  log: 'logs',
  output: 'logs',
  tail: 'logs -f',
  transcript: 'logs',
  chat: 'attach',
  enter: 'attach',
  tui: 'attach',
  cd: 'path',
  diff: 'path',
  dir: 'path',
  worktree: 'path',
  edit: 'open',
  browse: 'open --web',
  issue: 'open --issue',
  pr: 'open --web',
  describe: 'explain',
  info: 'explain',
  inspect: 'explain',
  show: 'explain',
  why: 'explain',
  ask: 'delegate',
  plan: 'delegate',
  daemon: 'queue-daemon',
  serve: 'queue-daemon start',
  up: 'queue-daemon start',
  tasks: 'queue',
  enqueue: 'queue enqueue',
  retry: 'queue retry',
  cleanup: 'prune',
  gc: 'prune',
  clean: 'prune',
  delete: 'destroy',
  remove: 'destroy',
  restore: 'recover',
  undo: 'recover',
  uninstall: 'down --purge',
  shutdown: 'down',
  configure: 'config',
  set: 'config set',
  settings: 'config',
  setup: 'init',
  check: 'doctor',
  auth: 'login',
  inbox: 'notify',
  notifications: 'notify',
}

/** Commands that remove something: a slip of the keys must not lead there. */
const removing = new Set(['destroy', 'prune', 'down', 'remove', 'clear'])

/** What was probably meant by an argument that a command does not take, as it is typed after `kugetsu`. */
export function meantByArgument(command: string, argument: string): string | undefined {
  if (command !== 'status' && command !== 'list') return undefined
  if (/^(\S*#)?-?\w+$/.test(argument) && /\d|#/.test(argument)) return `explain ${argument}`
  return statuses.some((each) => each === argument) ? `list --status ${argument}` : undefined
}

/** The probable meaning of a word other than a command: one of `names`, or a meaning of the above; undefined if unknown. */
export function meantBy(word: string, names: readonly string[], isFirst: boolean): string | undefined {
  const meant = isFirst && Object.hasOwn(meanings, word) ? meanings[word] : undefined
  if (meant !== undefined && names.includes(meant.split(' ')[0] ?? '')) return meant
  const harmless = names.filter((name) => !removing.has(name))
  const [begun, ...more] = word.length < 3 ? [] : harmless.filter((name) => name.startsWith(word))
  return begun !== undefined && more.length === 0 ? begun : within(2, word, harmless)
}
