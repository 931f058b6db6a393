import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KugetsuError } from '../../src/core/errors.ts'
import { byteName, namesIn, placeIn } from '../../src/platform/byte-names.ts'
import { askGit, runGit, runGitForBytes } from '../../src/git/git.ts'
import { gitFailure } from '../../src/git/failure.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'

let ground: Ground
beforeEach(() => {
  ground = createGround({ 'a.txt': 'one\n' })
})
afterEach(() => ground.cleanup())

const call = (more: { env?: NodeJS.ProcessEnv; signal?: AbortSignal; timeoutMs?: number } = {}) => ({
  cwd: path.join(ground.root, 'author'),
  env: { ...ground.env, ...more.env },
  timeoutMs: more.timeoutMs ?? 30_000,
  signal: more.signal,
})

/** A git alias-like program: git runs `git-<name>` from the PATH. */
function program(name: string, script: string): NodeJS.ProcessEnv {
  const bin = path.join(ground.root, 'bin')
  fs.mkdirSync(bin, { recursive: true })
  fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return { PATH: `${bin}:${ground.env['PATH'] ?? ''}` }
}

async function errorOf(work: Promise<unknown>): Promise<KugetsuError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(KugetsuError)
  return error as KugetsuError
}

describe('runGit', () => {
  it('called forty times with one signal lets a few run at a time, and Node has nothing to warn of', async () => {
    const counter = path.join(ground.root, 'running')
    fs.mkdirSync(counter)
    const env = program('git-counted', `mkdir ${counter}/$$; ls ${counter} | wc -l; sleep 0.05; rmdir ${counter}/$$`)
    const warnings: string[] = []
    const warn = (warning: Error) => void warnings.push(warning.message)
    process.on('warning', warn)
    try {
      const { signal } = new AbortController()
      const said = await Promise.all(Array.from({ length: 40 }, () => runGit(['counted'], call({ env, signal }))))
      await new Promise((resolve) => setImmediate(resolve)) // a warning comes a moment later
      expect(Math.max(...said.map(Number))).toBeLessThanOrEqual(8)
      expect(warnings).toEqual([])
    } finally {
      process.off('warning', warn)
    }
  })

  it('returns what git printed, byte for byte', async () => {
    expect(await runGit(['cat-file', 'blob', 'HEAD:a.txt'], call())).toBe('one\n')
  })

  it('returns names as their bytes, whatever they are', async () => {
    const names = [Buffer.from([0x63, 0x61, 0x66, 0xe9]), Buffer.from('\u{1f98a}')].map(byteName)
    for (const name of names) fs.writeFileSync(placeIn(call().cwd, name), '')
    const printed = await runGitForBytes(['ls-files', '--others', '-z'], call())
    expect(namesIn(printed)).toEqual(names)
  })

  it('hands on what git warns of though it succeeds', async () => {
    const warnings: string[] = []
    const env = program('git-warns', 'echo "warning: could not open directory" >&2')
    const onWarning = (text: string) => void warnings.push(text)
    await runGit(['warns'], { ...call({ env }), onWarning })
    await runGit(['version'], { ...call(), onWarning })
    expect(warnings).toEqual(['warning: could not open directory'])
  })

  it('runs in the directory it is told, whatever repository the environment points to', async () => {
    const other = createGround({ 'b.txt': 'two' })
    try {
      const env = { GIT_DIR: other.remote, GIT_WORK_TREE: other.root, GIT_INDEX_FILE: '/nowhere', GIT_NAMESPACE: 'x' }
      expect(await runGit(['ls-files'], call({ env }))).toBe('a.txt\n')
    } finally {
      other.cleanup()
    }
  })

  it('works with an environment full of editors, pagers and prompts, and starts none of them', async () => {
    const marker = path.join(ground.root, 'started')
    const touch = program('touch-marker', `touch ${marker}; exit 1`)
    const env = {
      EDITOR: 'touch-marker',
      GIT_EDITOR: 'touch-marker',
      PAGER: 'touch-marker',
      GIT_ASKPASS: 'touch-marker',
    }
    await runGit(['commit', '--allow-empty', '--amend'], call({ env: { ...touch, ...env } }))
    expect(fs.existsSync(marker)).toBe(false)
  })

  it('runs no hook and no file system monitor', async () => {
    const marker = path.join(ground.root, 'ran')
    const author = path.join(ground.root, 'author')
    const hook = path.join(author, '.git', 'hooks', 'post-checkout')
    fs.mkdirSync(path.dirname(hook), { recursive: true })
    fs.writeFileSync(hook, `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 })
    ground.git(author, 'config', 'core.fsmonitor', hook)
    ground.git(author, 'status') // the trap works: git as such falls into it
    expect(fs.existsSync(marker)).toBe(true)
    fs.rmSync(marker)
    await runGit(['checkout', '-B', 'other'], call())
    await runGit(['status'], call())
    expect(fs.existsSync(marker)).toBe(false)
  })

  it('refuses transports that run programs', async () => {
    const marker = path.join(ground.root, 'ran')
    const error = await errorOf(runGit(['ls-remote', `ext::sh -c "touch ${marker}"`], call()))
    expect(error.message).toContain("transport 'ext' not allowed")
    expect(fs.existsSync(marker)).toBe(false)
  })

  it('fails with one line, and keeps how git ended', async () => {
    const failure = { message: 'cannot show it', code: 'show_failed' }
    const error = await errorOf(runGit(['show', 'no-such-thing'], { ...call(), failure }))
    expect(error.code).toBe('show_failed')
    expect(error.message).toMatch(/^cannot show it: .*no-such-thing/)
    expect(error.message).not.toContain('\n')
    expect(gitFailure(error)?.exitCode).toBe(128)
  })

  it('takes a failure without a word for a failure', async () => {
    const error = await errorOf(runGit(['rev-parse', '--verify', '--quiet', 'nothing'], call()))
    expect(error.message).toContain('exit code 1')
    expect(await askGit(['rev-parse', '--verify', '--quiet', 'nothing'], call())).toBeUndefined()
  })

  it('takes a git that was killed for a failure', async () => {
    const env = program('git-dies', 'kill -9 $PPID; sleep 1')
    const error = await errorOf(runGit(['dies'], call({ env })))
    expect(error.message).toContain('git was killed')
  })

  it('ends a git that is silent for too long', async () => {
    const error = await errorOf(runGit(['hangs'], call({ env: program('git-hangs', 'exec sleep 60'), timeoutMs: 100 })))
    expect(error.message).toBe('git hangs failed: timed out')
  })

  it('ends when it is told to, before and while it runs', async () => {
    const controller = new AbortController()
    const started = path.join(ground.root, 'started')
    const env = program('git-hangs', `touch ${started}; exec sleep 60`)
    const work = errorOf(runGit(['hangs'], call({ env, signal: controller.signal })))
    const watcher = setInterval(() => fs.existsSync(started) && controller.abort(), 10)
    const error = await work
    clearInterval(watcher)
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 })
    expect(await errorOf(runGit(['version'], call({ signal: controller.signal })))).toMatchObject({
      code: 'interrupted',
    })
  })

  it('says so when there is no git', async () => {
    const error = await errorOf(runGit(['version'], call({ env: { PATH: '/nonexistent' } })))
    expect(error.code).toBe('git_missing')
    expect(error.message).not.toContain('\n')
  })
})

it('keeps credentials out of every part of an error', async () => {
  const url = 'http://user:hunter2@127.0.0.1:1/o/r.git'
  const failure = { message: `cannot clone ${url}`, code: 'clone_failed' }
  const error = await errorOf(runGit(['ls-remote', url], { ...call(), failure }))
  expect(error.message).toBe('cannot clone http://***@127.0.0.1:1/o/r.git: host unreachable')
  expect(JSON.stringify([error.message, error.stack, error.cause, gitFailure(error)?.stderr])).not.toContain('hunter2')
})
