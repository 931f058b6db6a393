/** Whether the git servers answer. git asks them as it does for agents' repositories, but never asks for a password. */
import * as fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { cloneUrlOf } from '../../config/repositories.ts'
import { findServer, type GitServer } from '../../config/git-servers.ts'
import type { Home } from '../../config/home.ts'
import { KugetsuError, messageOf } from '../../core/errors.ts'
import { parseRef, type IssueRef } from '../../core/issue-ref.ts'
import { runGit } from '../../git/git.ts'
import { explain, gitFailure } from '../../git/failure.ts'
import { pass, warn, type Check } from '../check.ts'
import type { Subject } from '../subject.ts'

const silenceMs = 8_000

/** Being offline is not kugetsu's failure, so the result is a warning at most. */
export const gitServers: Check = {
  name: 'git-servers',
  look: async (subject) => {
    try {
      const refs = issueRefs(subject)
      const used = new Set(refs.map(({ host }) => findServer(host, subject.gitServers())?.name))
      const servers = subject
        .gitServers()
        .filter((server) => server.source !== 'built-in' || server.default || used.has(server.name))
      const asked = await Promise.all(
        servers.map(async (server) => ({ name: server.name, problem: await problemOf(subject.home, server, refs) })),
      )
      const bad = asked.filter(({ problem }) => problem !== undefined)
      return bad.length === 0
        ? pass(servers.length === 0 ? 'none' : `${servers.map(({ name }) => name).join(', ')} answer`)
        : warn(
            bad.map(({ name, problem }) => `${name}: ${problem?.text}`).join('; '),
            bad[0]?.problem?.hint ?? 'Check the network, and the address with "kugetsu server list".',
          )
    } catch (error) {
      if (!(error instanceof KugetsuError) || error.code === 'bad_setting') throw error
      return warn(`cannot tell which there are: ${messageOf(error)}`, error.hint ?? 'See "kugetsu server list".')
    }
  },
}

/** What is wrong with a server. A known repository is asked for, else a made-up one that need not exist. */
async function problemOf(
  home: Home,
  server: GitServer,
  refs: IssueRef[],
): Promise<{ text: string; hint: string | undefined } | undefined> {
  const known = refs.find(({ host }) => findServer(host, [server]) !== undefined)
  const url = known === undefined ? madeUp(server.url) : cloneUrlOf(home, known)
  if (url.startsWith('file:')) {
    const directory = fileURLToPath(known === undefined ? server.url : url)
    return fs.existsSync(directory) ? undefined : { text: `there is no ${directory}`, hint: undefined }
  }
  const signal = AbortSignal.any([home.signal, AbortSignal.timeout(silenceMs + 2_000)])
  try {
    await runGit(['ls-remote', '--quiet', '--', url, 'HEAD'], { cwd: '/', env: home.env, timeoutMs: silenceMs, signal })
    return undefined
  } catch (error) {
    const failure = gitFailure(error)
    if (failure === undefined) throw error
    if (failure.reason === 'aborted') return { text: 'no answer in time', hint: undefined }
    // For a made-up repository any answer of the server is enough.
    const isAnswer = failure.reason === 'not_found' || failure.reason === 'authentication'
    if (known === undefined && isAnswer) return undefined
    return explain(failure)
  }
}

function madeUp(base: string): string {
  return `${base}${/[:/]$/.test(base) ? '' : '/'}kugetsu/doctor.git`
}

/** The issues that have a session. */
function issueRefs({ index }: Subject): IssueRef[] {
  return Object.keys(index()?.issues ?? {}).flatMap((ref) => {
    try {
      return [parseRef(ref, { defaultHost: '' })]
    } catch {
      return []
    }
  })
}
