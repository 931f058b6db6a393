/**
 * The large repository and a git server over HTTP for it, in a process of its own: to make the one takes memory, to be the
 * other takes time in between, and a large process starts others slowly, git among them.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { startHttpGitServer } from '../helpers/http-git-server.ts'
import { createLargeRepository } from './large-repository.ts'

const flag = '--serve-large-repository'

/** Makes the repository at `repository` and serves all in `root`; stop() ends the server. */
export async function startLargeRemote(
  repository: string,
  root: string,
  env: NodeJS.ProcessEnv,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const child = fork(process.argv[1] ?? '', [flag, repository, root], { env })
  const ended = once(child, 'exit')
  const served = once(child, 'message') as Promise<[string]>
  const [url] = await Promise.race([served, ended.then(() => Promise.reject(new Error('there is no remote')))])
  return {
    url,
    stop: async () => {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}

/** Is that process, when it was started as one; it returns in any other. */
export async function serveLargeRepository([given, repository, root]: string[]): Promise<void> {
  if (given !== flag || repository === undefined || root === undefined) return
  process.once('disconnect', () => process.exit())
  await createLargeRepository(repository, process.env)
  process.send?.((await startHttpGitServer({ repositories: root })).url)
  await new Promise(() => {})
}
