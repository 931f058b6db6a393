/** Real bare repositories, served over loopback by a real `git daemon` that accepts pushes. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as os from 'node:os'
import * as path from 'node:path'
import { processesWith } from '../../src/platform/processes.ts'
import { killQuietly } from './processes.ts'
import { waitFor } from './wait-for.ts'

/** File contents by path. */
export type Files = Record<string, string>

export interface Commit {
  sha: string
  subject: string
}

export interface GitServer {
  /** The base URL: git://127.0.0.1:port. */
  url: string
  port: number
  /** Creates `owner/repo` with one commit on main, and returns its clone URL. */
  createRepository: (name: string, files?: Files) => string
  /** Adds a commit to a branch as somebody else would; a new branch starts at main. Returns its sha. */
  commit: (name: string, branch: string, files: Files, message?: string) => string
  /** Newest first; none when there is no such branch. */
  commitsOn: (name: string, branch: string) => Commit[]
  branches: (name: string) => string[]
  /** The text of a file on a branch. Throws when it is not there. */
  fileOn: (name: string, branch: string, file: string) => string
  /** Where the bare repository of `name` is on disk. */
  pathOf: (name: string) => string
  stop: () => Promise<void>
}

const marker = 'KUGETSU_TEST_GIT_SERVER'

/** Starts a server without repositories on a free port of 127.0.0.1. stop() it when the test is done. */
export async function startGitServer(): Promise<GitServer> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-git-'))
  const repositories = path.join(root, 'r')
  fs.mkdirSync(repositories)
  const env = gitEnvironment(root)
  const git = (cwd: string, ...args: string[]) =>
    execFileSync('git', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 }).trim()
  const pathOf = (name: string) => path.join(repositories, `${name}.git`)
  const branches = (name: string) => lines(git(pathOf(name), 'for-each-ref', '--format=%(refname:short)', 'refs/heads'))

  const commit = (name: string, branch: string, files: Files, message = `Change ${Object.keys(files).join(', ')}`) => {
    const work = fs.mkdtempSync(path.join(root, 'work-'))
    try {
      git(work, 'clone', '-q', '--no-hardlinks', pathOf(name), '.')
      git(work, 'checkout', '-q', ...(branches(name).includes(branch) ? [branch] : ['-b', branch]))
      for (const [file, text] of Object.entries(files)) {
        fs.mkdirSync(path.dirname(path.join(work, file)), { recursive: true })
        fs.writeFileSync(path.join(work, file), text)
      }
      git(work, 'add', '--all')
      git(work, 'commit', '-q', '-m', message)
      git(work, 'push', '-q', 'origin', `HEAD:refs/heads/${branch}`)
      return git(work, 'rev-parse', 'HEAD')
    } finally {
      fs.rmSync(work, { recursive: true, force: true })
    }
  }

  const { daemon, port } = await startDaemon(repositories, env)
  const url = `git://127.0.0.1:${port}`
  return {
    url,
    port,
    pathOf,
    branches,
    commit,
    createRepository: (name, files = { 'README.md': `# ${name}\n` }) => {
      fs.mkdirSync(pathOf(name), { recursive: true })
      git(pathOf(name), 'init', '-q', '--bare', '-b', 'main')
      commit(name, 'main', files, 'First commit')
      return `${url}/${name}.git`
    },
    commitsOn: (name, branch) => {
      if (!branches(name).includes(branch)) return []
      return lines(git(pathOf(name), 'log', '--format=%H %s', branch)).map((line) => {
        const space = line.indexOf(' ')
        return { sha: line.slice(0, space), subject: line.slice(space + 1) }
      })
    },
    fileOn: (name, branch, file) =>
      execFileSync('git', ['show', `${branch}:${file}`], { cwd: pathOf(name), env, encoding: 'utf8', timeout: 60_000 }),
    stop: async () => {
      // It forks a process per connection; they all carry the marker.
      const ended = daemon.exitCode !== null || daemon.signalCode !== null ? undefined : once(daemon, 'exit')
      daemon.kill('SIGKILL')
      await ended
      await waitFor('the end of the git daemon', () => {
        const living = processesWith(marker, root)
        living.forEach(killQuietly)
        return living.length === 0
      })
      fs.rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}

async function startDaemon(
  repositories: string,
  env: NodeJS.ProcessEnv,
): Promise<{ daemon: ChildProcess; port: number }> {
  const program = path.join(
    execFileSync('git', ['--exec-path'], { encoding: 'utf8', timeout: 60_000 }).trim(),
    'git-daemon',
  )
  const tries = 5
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const daemon = spawn(
      program,
      [
        '--verbose',
        '--export-all',
        '--enable=receive-pack',
        '--reuseaddr',
        '--listen=127.0.0.1',
        `--port=${port}`,
        `--base-path=${repositories}`,
        repositories,
      ],
      { env, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    let said = ''
    daemon.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    await waitFor('the git daemon to listen', () => said.includes('Ready to rumble') || daemon.exitCode !== null)
    if (daemon.exitCode === null) return { daemon, port }
    // Somebody else took the port in between.
    if (attempt === tries) throw new Error(`git daemon does not start: ${said}`)
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function gitEnvironment(root: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: root,
    [marker]: root,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Somebody Else',
    GIT_AUTHOR_EMAIL: 'somebody@example.com',
    GIT_COMMITTER_NAME: 'Somebody Else',
    GIT_COMMITTER_EMAIL: 'somebody@example.com',
  }
}

function lines(text: string): string[] {
  return text === '' ? [] : text.split('\n')
}
