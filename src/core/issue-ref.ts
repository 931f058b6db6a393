/**
 * Issue refs: `instance/owner/repo#identifier`. A ref becomes part of file names, of a branch and of git's arguments, and it
 * is hostile input, so every part is checked against what is allowed, never against what is not.
 */
import { startOf } from './columns.ts'
import { KugetsuError } from './errors.ts'

export interface Repository {
  /** An instance: a host, a host with its port, or the name of a configured server. Lower case. */
  host: string
  /** One segment, or several for GitLab's subgroups (`group/sub`). */
  owner: string
  repo: string
}

/** How a person names the PM agent where an issue ref is expected. */
export const pmAgentWord = 'pm-agent'

export interface IssueRef extends Repository {
  /** A number without leading zeros (`14`), or a word after a hyphen (`-discuss`). */
  id: string
}

/** What completes an incomplete ref. */
export interface Around {
  /** The instance of `owner/repo#n`. */
  defaultHost: string
  /** The repository of `#n`: of the clone or worktree that the command was called in. Undefined outside of repositories. */
  here?: Repository | 'unknown' | undefined
}

const pageKinds = ['issues', 'pull', 'pulls']
const longestText = 2000
const longestRef = 300
const longestPart = 100
/** How many issues an error names. */
const mostNamed = 8
const expected =
  'Expected host/owner/repo#14 or #-word, owner/repo#14, 14 inside a clone, the URL of an issue or pull request, or <clone URL>#14.'

/** The canonical form, `github.com/shoko/kugetsu#14`. */
export function formatRef(ref: IssueRef): string {
  return `${ref.host.toLowerCase()}/${ref.owner}/${ref.repo}#${ref.id}`
}

/** Whether `text` can be the instance of a ref: a host, a host with a port, or a server's name. */
export function isInstance(text: string): boolean {
  return hostProblem(text) === undefined
}

/**
 * Reads a ref, completed with `around`, or the URL of an issue, pull request or merge request.
 * Throws KugetsuError `bad_ref`.
 */
export function parseRef(text: string, around: Around): IssueRef {
  const ref = read(text, around)
  if (typeof ref === 'string') throw badRef(text, ref)
  return ref
}

/** Whether it is the URL of a page that only an issue or pull request has, or would have if it went on after that word. */
export function isPageUrl(text: string): boolean {
  const [, path = ''] = /^https?:\/\/[^/?#]+\/([^?#]*)/i.exec(text) ?? []
  const [, , word] = path.split('/')
  return word !== undefined && (pageKinds.includes(word) || path.split('/').includes('-'))
}

function badRef(text: string, problem: string): KugetsuError {
  return new KugetsuError(`${printable(text)} is not an issue ref: ${problem}`, { code: 'bad_ref', hint: expected })
}

/**
 * Finds the issue that a person means, given the canonical refs of all tracked issues. A complete ref, a URL, and a
 * number alone inside a repository mean what they say. `owner/repo#n` means the default server's issue if it is
 * tracked, else the one tracked ref that ends in it, else the default server's issue. Anything else is the tail of one
 * tracked ref. Throws KugetsuError `bad_ref` or `ambiguous_ref`.
 */
export function resolveRef(text: string, around: Around & { tracked: string[] }): IssueRef {
  const isInRepository = around.here !== undefined
  if (isInRepository && isNumberAlone(text)) return parseRef(text.replace(/^#?/, '#'), around)
  const ref = read(text, around)
  if (typeof ref === 'string') {
    const found = matchTail(text, around.tracked)
    if (found !== undefined) return parseRef(found, around)
    throw mayBeTail(text) ? unmatched(text, around.tracked) : badRef(text, ref)
  }
  if (!isWithoutInstance(text) || around.tracked.includes(formatRef(ref))) return ref
  const found = matchTail(`${ref.owner}/${ref.repo}#${ref.id}`, around.tracked)
  return found === undefined ? ref : parseRef(found, around)
}

function unmatched(text: string, tracked: readonly string[]): KugetsuError {
  const known = tracked.slice(0, mostNamed).map(shortNames(tracked))
  const more = tracked.length > known.length ? ` and ${tracked.length - known.length} more` : ''
  return new KugetsuError(`nothing matches ${printable(text)}`, {
    code: 'bad_ref',
    hint:
      known.length === 0
        ? 'Name the issue by its URL, or in full: host/owner/repo#14.'
        : `You have ${known.join(', ')}${more}. For another issue: its URL, or host/owner/repo#14.`,
  })
}

/** Whether `text` names its instance, or is a URL. Other issues do not matter then. */
export function isWholeRef(text: string): boolean {
  return !isWithoutInstance(text) && !isTail(text)
}

/** Whether a person can have meant the end of a ref: `app#14`, `14`, `app#-discuss`. */
function mayBeTail(text: string): boolean {
  return /^(?:[\w.-]+#)?(?:\d+|-\w[\w-]*)$/.test(text)
}

/** Whether it could be the end of a ref: `kugetsu#14`, `14`. */
function isTail(text: string): boolean {
  return /^(?:[^/#]+#)?[^/#]+$/.test(text) && text.length <= longestRef
}

/**
 * The one tracked canonical ref that ends in `text` (`kugetsu#14`, `#14`, `14`), undefined when there is none.
 * Only whole segments count: `etsu#14` and `4` match nothing here. Throws KugetsuError `ambiguous_ref` for several.
 */
export function matchTail(text: string, tracked: string[]): string | undefined {
  const found = refsEndingIn(text, tracked)
  if (found.length < 2) return found[0]
  throw new KugetsuError(`${printable(text)} fits ${found.length} issues`, {
    code: 'ambiguous_ref',
    hint: `Say which one is meant: ${found.join(', ')}`,
  })
}

/** All tracked canonical refs that end in `text`, by whole segments, sorted. */
export function refsEndingIn(text: string, tracked: string[]): string[] {
  return [...new Set(tracked)].filter((ref) => endsInSegments(ref, text)).sort()
}

/**
 * Names issues as short as a command takes it: the function returns the shortest form of a canonical ref that no other of the
 * `known` ones has: `app#14`, `me/app#14`, else the whole ref.
 */
export function shortNames(known: Iterable<string>): (ref: string) => string {
  const counts = new Map<string, number>()
  for (const ref of new Set(known)) {
    for (const form of formsOf(ref)) counts.set(form, (counts.get(form) ?? 0) + 1)
  }
  return (ref) => formsOf(ref).find((form) => counts.get(form) === 1) ?? ref
}

/** The tails of a ref that begin with a segment and have the repository, shortest first, without the whole ref. */
function formsOf(ref: string): string[] {
  const segments = ref.split('/')
  return segments.slice(1).map((_, index) => segments.slice(segments.length - 1 - index).join('/'))
}

/** The branch an agent works on: `fix/issue-14`. */
export function branchOf(ref: IssueRef): string {
  return `fix/issue-${ref.id}`
}

/** The ref, or what is wrong with it as the rest of a sentence. */
function read(text: string, around: Around): IssueRef | string {
  if (text === '') return 'it is empty'
  if (text.length > longestText) return 'it is too long'
  if (!/^[\x21-\x7e]+$/.test(text)) return 'only visible ASCII characters are allowed'
  const url = /^(https?):\/\/(.*)$/i.exec(text)
  if (url !== null) return readPage(url[2] ?? '', url[1]?.toLowerCase() === 'http' ? ':80' : ':443')
  const mark = text.indexOf('#')
  if (/^\d+$/.test(text)) return 'the repository is missing'
  if (mark === -1) return /^[^/]*[.:][^/]*\/./.test(text) ? readPage(text, ':443') : 'it has no #number'
  const id = text.slice(mark + 1)
  if (mark === 0) {
    if (around.here === undefined) return 'this is not a clone, so the repository is missing'
    if (around.here === 'unknown') return 'the remote "origin" of this clone does not tell the repository'
    return checked(around.here, id)
  }
  const segments = text.slice(0, mark).split('/')
  const repo = segments.pop() ?? ''
  if (segments.length === 0) return 'the owner is missing'
  const host = segments.length === 1 ? around.defaultHost : (segments.shift() ?? '')
  return checked({ host, owner: segments.join('/'), repo }, id)
}

/** Reads the address of an issue's or pull request's page, given without its scheme. */
function readPage(text: string, defaultPort: string): IssueRef | string {
  const parts = /^([^/?#]+)\/([^?#]*)/.exec(text)
  if (parts === null) return 'it is not the URL of an issue or pull request'
  let host = parts[1] ?? ''
  if (host.endsWith(defaultPort)) host = host.slice(0, -defaultPort.length)
  const segments = (parts[2] ?? '').replace(/\/$/, '').split('/')
  // GitLab puts a hyphen between the project, of any depth, and its page.
  const hyphen = segments.indexOf('-')
  const depth = hyphen === -1 ? 2 : hyphen
  const [kind, id, ...more] = segments.slice(hyphen === -1 ? 2 : hyphen + 1)
  const kinds = hyphen === -1 ? pageKinds : ['issues', 'merge_requests', 'work_items']
  if (depth < 2 || kind === undefined || !kinds.includes(kind)) return 'it is not the URL of an issue or pull request'
  if (id === undefined || !/^\d+$/.test(id)) return 'its URL has no issue number'
  if (more.some((segment) => nameProblem(segment) !== undefined)) return 'its URL goes on after the issue number'
  return checked({ host, owner: segments.slice(0, depth - 1).join('/'), repo: segments[depth - 1] ?? '' }, id)
}

function checked(repository: Repository, id: string): IssueRef | string {
  const host = repository.host.toLowerCase()
  const repo = repository.repo.replace(/\.git$/i, '')
  const owners = repository.owner.split('/')
  const problem =
    named('host', hostProblem(host)) ??
    owners.map((owner) => named('owner', nameProblem(owner))).find((found) => found !== undefined) ??
    named('repository', nameProblem(repo))
  if (problem !== undefined) return problem
  const canonicalId = idOf(id)
  if (canonicalId === undefined) return 'after # comes neither a number nor a -word'
  const ref = { host, owner: repository.owner, repo, id: canonicalId }
  return formatRef(ref).length > longestRef ? 'it is too long' : ref
}

function named(part: string, problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `the ${part} ${problem}`
}

function idOf(text: string): string | undefined {
  if (/^\d{1,12}$/.test(text)) return text.replace(/^0+/, '') || undefined
  return /^-[A-Za-z0-9](?:[A-Za-z0-9_-]{0,57}[A-Za-z0-9_])?$/.test(text) ? text : undefined
}

function hostProblem(text: string): string | undefined {
  const [, name = text, port] = /^(.*?)(?::([^:]*))?$/.exec(text) ?? []
  if (port !== undefined && !(/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535)) return 'has an invalid port'
  return nameProblem(name) ?? (/^[A-Za-z0-9]/.test(name) ? undefined : 'must begin with a letter or a digit')
}

function nameProblem(text: string): string | undefined {
  if (text === '') return 'is missing'
  if (text.length > longestPart) return 'is too long'
  if (text.startsWith('-')) return 'must not begin with a hyphen'
  if (!/^[A-Za-z0-9._-]+$/.test(text)) return 'may only have letters, digits, dots, hyphens and underscores'
  if (text.includes('..') || text.endsWith('.')) return 'has a dot in a wrong place'
  // The mirror of owner/repo is a directory owner/repo.git: nothing else may lie in it.
  return ['.lock', '.git'].includes(text.slice(text.lastIndexOf('.')).toLowerCase())
    ? 'must not end in .lock or .git'
    : undefined
}

/** `#14`, `14`, `#-discuss`: the repository depends on where the command is called. */
export function isNumberAlone(text: string): boolean {
  return /^(#|\d+$)/.test(text)
}

function isWithoutInstance(text: string): boolean {
  return /^[^/#]+\/[^/#]+#/.test(text)
}

function endsInSegments(ref: string, tail: string): boolean {
  if (tail === '' || !ref.endsWith(tail)) return false
  const before = ref[ref.length - tail.length - 1]
  return before === undefined || before === '/' || before === '#' || tail.startsWith('#')
}

/** Quoted and fit for a terminal: short, without control characters, without the password of a URL. */
function printable(text: string): string {
  const shown = startOf(text, longestText).replace(/\/\/[^/@]*@/g, '//***@')
  const short = shown.length > 80 ? `${startOf(shown, 77)}...` : shown
  const code = (character: string) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  return `"${short.replace(/[^\x20-\x7e]/gu, code)}"`
}
