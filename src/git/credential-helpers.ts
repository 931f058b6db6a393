import { askGit, type GitOptions } from './git.ts'

/** Variables that tell git where it is and what its command line said. A helper that git runs must see the same. */
const around = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_COMMON_DIR', 'GIT_CONFIG_PARAMETERS']

/**
 * Whether git, called in `cwd` with that environment, has a credential helper for `url` (scheme, host and port). In doubt it
 * has one: git hands a login to every helper to store. Throws KugetsuError when git cannot tell.
 */
export async function hasCredentialHelper(url: string, options: GitOptions & { cwd: string }): Promise<boolean> {
  const given = around.flatMap((name) => (options.env[name] === undefined ? [] : [[name, options.env[name]]]))
  const variables = Object.fromEntries(given) as Record<string, string>
  const call = { ...options, variables, settingsAsTheyAre: true }
  const found = (await askGit(['config', '-z', '--get-regexp', '^credential\\.(.*\\.)?helper$'], call)) ?? ''
  let has = false
  // In order: an empty entry cancels all entries before it, even more specific ones.
  for (const entry of found.split('\0').slice(0, -1)) {
    const [key = '', ...value] = entry.split('\n')
    const match = matchOf(/^credential\.(.*)\.helper$/s.exec(key)?.[1], url)
    if (match === 'none') continue
    if (value.join('\n') !== '') has = true
    else if (match === 'all') has = false
  }
  return has
}

/**
 * Which logins at `url` an entry is for: all, some (of a path or user), or none. An entry without a pattern is for every
 * host.
 */
function matchOf(pattern: string | undefined, url: string): 'all' | 'some' | 'none' {
  if (pattern === undefined) return 'all'
  const { protocol, hostname, port } = new URL(url)
  const parts = /^(?:([^:/]+:)\/\/)?([^/@]*@)?([^/]*?)(?::(\d+))?(\/.*)?$/s.exec(pattern)
  if (parts === null) return 'some'
  const [, scheme = protocol, user, host = '', givenPort = '', path = '/'] = parts
  const usual = protocol === 'https:' ? '443' : '80'
  if (scheme.toLowerCase() !== protocol || (givenPort || usual) !== (port || usual)) return 'none'
  const wanted = host.toLowerCase().split('.')
  const labels = hostname.split('.')
  const isHost = wanted.length === labels.length && wanted.every((label, at) => label === '*' || label === labels[at])
  if (host !== '' && !isHost) return 'none'
  return user === undefined && path === '/' ? 'all' : 'some'
}
