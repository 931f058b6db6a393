/** The demo's repository, served over loopback as a git server would. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import { KugetsuError } from '../core/errors.ts'
import type { Stage } from './stage.ts'

export interface ServedRepository {
  /** The URL of the server; the repository is at `<url>/<name>.git`. */
  url: string
  /** The bare repository on disk. */
  directory: string
  close: () => void
}

/** Makes the repository `name` (`owner/repo`) with one commit on main, and serves it on a free port of 127.0.0.1. */
export async function serveRepository(
  stage: Stage,
  name: string,
  files: Record<string, string>,
): Promise<ServedRepository> {
  const base = path.join(stage.root, 'server')
  const directory = path.join(base, `${name}.git`)
  await createRepository(stage, directory, files)
  const server = await listen(stage, base)
  const url = `git://127.0.0.1:${(server.address() as net.AddressInfo).port}`
  const served = await stage.run(['git', 'ls-remote', `${url}/${name}.git`])
  // Some systems have git without its daemon.
  return { url: served.exitCode === 0 ? url : pathToFileURL(base).href, directory, close: () => server.close() }
}

async function createRepository(stage: Stage, directory: string, files: Record<string, string>): Promise<void> {
  const work = path.join(stage.root, 'work')
  for (const each of [directory, work]) fs.mkdirSync(each, { recursive: true })
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(work, file), text)
  const author = { GIT_AUTHOR_NAME: 'Tea Shop', GIT_COMMITTER_NAME: 'Tea Shop' }
  const git = async (cwd: string, ...args: string[]) => {
    const { exitCode, lines } = await stage.run(['git', ...args], { cwd, env: author })
    if (exitCode === 0) return
    throw new KugetsuError(`git ${args[0] ?? ''} failed: ${lines.join(' ')}`, {
      hint: 'The demo needs a git that works: try "git --version".',
      code: 'demo_failed',
    })
  }
  await git(directory, 'init', '-q', '--bare')
  await git(directory, 'symbolic-ref', 'HEAD', 'refs/heads/main')
  await git(work, 'init', '-q')
  await git(work, 'symbolic-ref', 'HEAD', 'refs/heads/main')
  await git(work, 'add', '.')
  await git(work, 'commit', '-q', '-m', 'Open the tea shop')
  await git(work, 'push', '-q', directory, 'main')
  fs.rmSync(work, { recursive: true })
}

/**
 * Listens in this process and starts a git daemon for each connection: so the port is gone with this process, however it
 * ends. Without a git daemon, connections are closed at once.
 */
async function listen(stage: Stage, base: string): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const args = ['--inetd', '--export-all', '--enable=receive-pack', '--log-destination=none', `--base-path=${base}`]
    const daemon = spawn('git', ['daemon', ...args, base], {
      cwd: stage.root,
      env: stage.env,
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    for (const each of [socket, daemon, daemon.stdin]) each.on('error', () => socket.destroy())
    socket.pipe(daemon.stdin)
    daemon.stdout.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
