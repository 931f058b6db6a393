/** A repository that a person names by a URL: its server becomes known, without `kugetsu server add`. */
import { remoteEnvironment } from '../../agents/remote-access.ts'
import { cloneUrlOf } from '../../config/repositories.ts'
import type { ForgeType } from '../../config/forge-types.ts'
import { findServer, guessForge, listServers, rememberServer } from '../../config/git-servers.ts'
import type { Home } from '../../config/home.ts'
import { isSameRemote, serverUrlOf, type IssueAt } from '../../config/issue-url.ts'
import { webUrlOf, withoutCredentials } from '../../config/remote-url.ts'
import { rememberRepository } from '../../config/repositories.ts'
import { awaitedLater } from '../../core/awaited-later.ts'
import { KugetsuError } from '../../core/errors.ts'
import { formatRef } from '../../core/issue-ref.ts'
import { isPmAgent } from '../../core/within-agent.ts'
import { askKind } from '../../forges/ask-kind.ts'
import { gitFailure } from '../../git/failure.ts'
import { runGit } from '../../git/git.ts'

/** The longest silence of the git that looks whether the repository is there. */
const silenceMs = 30_000

/** A server that has become known. */
export interface NewServer {
  name: string
  type: ForgeType
}

/**
 * Sees to it that the repository of an issue is cloned from the URL it was named by: its server is stored in servers.json
 * when none is known, with the forge that answers there, and a URL that the server alone does not give in repos.json.
 * Returns the server if it is new. Nothing is stored when the repository is not there, which throws KugetsuError
 * `clone_failed`; nor by the PM agent (`not_for_pm_agent`).
 */
export async function learnRepository(home: Home, { ref, url }: IssueAt): Promise<NewServer | undefined> {
  if (url === undefined) return undefined
  const server = findServer(ref.host, listServers(home))
  const isKnown = () => isSameRemote(cloneUrlOf(home, ref), url, findServer(ref.host, listServers(home))?.type)
  const base = server === undefined ? serverUrlOf(url) : undefined
  if (base === undefined && isKnown()) return undefined
  if (isPmAgent(home.env)) {
    if (isKnown()) return undefined
    throw new KugetsuError(`the PM agent cannot name ${ref.host} by a URL that kugetsu does not know`, {
      hint: `A person can: kugetsu start '${withoutCredentials(url)}#${ref.id}'`,
      code: 'not_for_pm_agent',
    })
  }
  const kind = awaitedLater(base === undefined ? Promise.resolve(undefined) : kindAt(home, ref.host, base))
  await requireRemote(home, url)
  const type = await kind
  if (base !== undefined) await rememberServer(home, { name: ref.host, url: base, type })
  const key = formatRef(ref).slice(0, -`#${ref.id}`.length)
  if (!isKnown()) await rememberRepository(home, key, url)
  return server === undefined ? { name: ref.host, type: type ?? 'unknown' } : undefined
}

/** The forge at a host: by its name, else as it answers itself. Only ssh, http and https have one beside them. */
async function kindAt(home: Home, name: string, base: string): Promise<ForgeType | undefined> {
  const guessed = guessForge({ name, url: base })
  const web = webUrlOf(base)
  if (guessed !== 'unknown') return guessed
  return web === undefined || /^git:/i.test(base) ? undefined : askKind(web, home)
}

/** Throws unless the repository answers, or wants a login: whether there is one is for the start to say. */
async function requireRemote(home: Home, url: string): Promise<void> {
  const shown = withoutCredentials(url)
  home.progress(`asking ${shown}`, 'passing')
  const failure = { message: `cannot clone ${shown}`, code: 'clone_failed' }
  const call = { cwd: '/', env: remoteEnvironment(home), timeoutMs: silenceMs, signal: home.signal, failure }
  try {
    await runGit(['ls-remote', '--quiet', '--', url, 'HEAD'], { ...call, asksRemote: true })
  } catch (error) {
    home.signal.throwIfAborted()
    if (gitFailure(error)?.reason === 'authentication') return
    const [, address, port, path] = /^([^:/]+):(\d+)\/(.*)$/.exec(url) ?? []
    if (address === undefined || !(error instanceof KugetsuError)) throw error
    throw new KugetsuError(error.message, {
      hint: `git takes ${port} for a directory. If it is a port: ssh://${address}:${port}/${path}`,
      code: error.code,
      cause: error,
    })
  }
}
