/** Which token git uses for which server. Read at the moment it is asked for, and only for servers the user named. */
import { type GitServer, listServers, type ServerHome } from '../config/git-servers.ts'
import type { Paths } from '../config/paths.ts'
import { hostOfUrl } from '../config/remote-url.ts'
import { readRepositories } from '../config/repositories.ts'
import { loginName, tokenVariables } from '../config/server-tokens.ts'
import { type AgentKind, agentVariables } from './env-files.ts'

type LoginHome = ServerHome & { paths: Pick<Paths, 'repositories' | 'env'> }

export interface Login {
  username: string
  password: string
  /** The variable that holds the token. */
  variable: string
}

/**
 * The login for a web address (`https://host:port`) from an agent's variables; undefined when there is none. For plain
 * http only on this machine. Throws KugetsuError when the servers or repos.json cannot be understood.
 */
export function loginFor(home: LoginHome, agent: AgentKind, address: string): Login | undefined {
  const names = variablesFor(home, address)
  if (names.length === 0) return undefined
  const variables = agentVariables(home.paths.env, agent)
  for (const { variable, type } of names) {
    const password = variables[variable]?.trim() ?? ''
    // git's protocol for helpers is made of lines, so a value cannot have control characters.
    if (password !== '' && !/\p{Cc}/u.test(password)) return { username: loginName(type), password, variable }
  }
  return undefined
}

/**
 * What a person can do when a server wants a login for `url` and git had none; undefined for anything but web
 * addresses.
 */
export function loginHint(home: LoginHome, agent: AgentKind, url: string): string | undefined {
  if (!/^https?:/i.test(url) || !URL.canParse(url)) return undefined
  const { origin, protocol, host } = new URL(url)
  if (webOrigin(url) === undefined) {
    return `${protocol}// is not safe for a password or token: use https, or an ssh key.`
  }
  const names = variablesFor(home, origin)
  // Prefer the variable that agents also use for calls of the forge, if it is this server's.
  const usual = names.find(({ variable, type }) => variable === `${type.toUpperCase()}_TOKEN`) ?? names[0]
  if (usual === undefined) {
    return `For a token, name the server first ("kugetsu server add ${host} ${origin} --type …"), or set up a credential helper of git.`
  }
  const found = loginFor(home, agent, origin)
  const set = `kugetsu env set ${found?.variable ?? usual.variable} - ${agent}`
  return found === undefined
    ? `Give kugetsu a token for ${host} ("${set}" reads it), or set up a credential helper of git.`
    : `Is the token in ${found.variable} valid, and may it read the repository? "${set}" replaces it.`
}

interface Candidate {
  variable: string
  type: GitServer['type']
}

function variablesFor(home: LoginHome, address: string): Candidate[] {
  const wanted = webOrigin(address)
  if (wanted === undefined) return []
  const servers = [...listServers(home), ...hostsOfRepositories(home)]
  return servers
    .filter(({ url }) => originOf(url) === wanted)
    .flatMap((server) => tokenVariables(server, servers).map((variable) => ({ variable, type: server.type })))
}

/** The hosts in repos.json count as servers too. A host that the user has not named never gets a token. */
function hostsOfRepositories(home: LoginHome): GitServer[] {
  const urls = [...readRepositories(home.paths.repositories, home.now()).values()]
  return urls.flatMap((url) => {
    const origin = typeof url === 'string' ? originOf(url) : undefined
    if (origin === undefined) return []
    return [{ name: new URL(origin).host, url: origin, type: 'unknown', default: false, source: 'config' } as const]
  })
}

/** The scheme, host and port that a token for a server's URL may be sent to; undefined when it may not be sent. */
function originOf(url: string): string | undefined {
  const isSsh = /^ssh:\/\//i.test(url) || !url.includes('://')
  const host = isSsh ? hostOfUrl(url)?.hostname : undefined
  return host === undefined ? webOrigin(url) : webOrigin(`https://${host}`)
}

/** The origin of a web address that may be sent a token; undefined for others. */
function webOrigin(url: string): string | undefined {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return undefined
  const { protocol, origin, hostname } = new URL(url)
  return protocol === 'https:' || isLoopback(hostname) ? origin : undefined
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
