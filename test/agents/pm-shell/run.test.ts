import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import commands from '../../fixtures/pm-commands.json' with { type: 'json' }
import { buildProgram, type Program } from '../../helpers/programs.ts'

let shell: Program
let root: string
const at = (...parts: string[]) => path.join(root, ...parts)
const home = () => at('home')
const worktree = () => at('home', 'worktrees', 'one')
const secretText = 'hunter2'

beforeAll(async () => {
  shell = await buildProgram('pm-shell')
  root = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'pm-run-'))
  for (const name of ['home/base', 'home/env', 'home/opencode', 'home/worktrees', 'bin', 'ran', 'hooks', 'sub']) {
    fs.mkdirSync(at(name), { recursive: true })
  }
  for (const name of ['file', 'home/env/default.env', 'home/opencode/server.json']) {
    fs.writeFileSync(at(name), `${secretText}\n`)
  }
  fs.writeFileSync(
    at('gitconfig'),
    '[user]\n\tname = Somebody\n\temail = a@b.test\n[protocol "file"]\n\tallow = always\n',
  )
  // What stands for kugetsu says what it was called with and what it reads.
  fs.writeFileSync(at('kugetsu'), '#!/bin/sh\nprintf "<%s>" "$@"\nexec cat\n', { mode: 0o755 })
  makeWorktree()
})
afterAll(async () => {
  await shell.remove()
  fs.rmSync(root, { recursive: true, force: true })
})

const env = () => ({
  PATH: `${at('bin')}:${process.env['PATH']}`,
  HOME: root,
  GIT_CONFIG_GLOBAL: at('gitconfig'),
  GIT_CONFIG_NOSYSTEM: '1',
})
const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', args, { cwd, env: env(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

/** A program that leaves a mark under its name, and does what a filter does. */
function trap(name: string): string {
  const file = at('bin', name)
  fs.writeFileSync(file, `#!/bin/sh\n: > '${at('ran', name)}'\ncase $# in 0) exec cat;; esac\n`, {
    mode: 0o755,
  })
  return file
}

/** A worktree of a repository whose configuration names a program wherever it can. */
function makeWorktree(): void {
  git(root, 'init', '--quiet', '-b', 'main', worktree())
  const write = (name: string, text: string) => fs.writeFileSync(path.join(worktree(), name), text)
  write('README.md', 'one\ntwo\nthree\n')
  write('a.txt', 'one\n')
  write('.gitattributes', '*.txt diff=evil filter=evil\n*.included filter=included\n')
  write('b.included', 'one\n')
  write('c.md', 'one\n')
  write('.env', secretText)
  write('app.env.local', secretText)
  fs.symlinkSync(at('file'), path.join(worktree(), 'link-to-file'))
  fs.symlinkSync(at('home', 'env'), path.join(worktree(), 'link-to-directory'))
  git(at('sub'), 'init', '--quiet', '-b', 'main')
  git(at('sub'), 'commit', '--quiet', '--allow-empty', '-m', 'below')
  git(worktree(), 'submodule', '--quiet', 'add', at('sub'), 'below')
  git(worktree(), 'add', 'README.md', 'a.txt', 'b.included', 'c.md', '.gitattributes')
  git(worktree(), 'commit', '--quiet', '-m', 'first')
  const tree = git(worktree(), 'write-tree').trim()
  const signed = `tree ${tree}\nauthor A <a@b.test> 1 +0000\ncommitter A <a@b.test> 1 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n xx\n -----END PGP SIGNATURE-----\n\nsigned\n`
  fs.writeFileSync(at('commit'), signed)
  const commit = git(worktree(), 'hash-object', '-t', 'commit', '-w', at('commit')).trim()
  git(worktree(), 'branch', 'signed', commit)
  git(worktree(), 'branch', 'victim')
  execFileSync('mkfifo', [path.join(worktree(), 'pipe')])
  for (const name of ['post-index-change', 'fsmonitor-watchman', 'reference-transaction']) {
    fs.copyFileSync(trap(`hook-${name}`), at('hooks', name))
  }
  const set = (name: string, value: string, cwd = worktree()) => git(cwd, 'config', name, value)
  set('core.hooksPath', at('hooks'))
  set('core.fsmonitor', trap('monitor'))
  set('core.fsmonitor', trap('monitor-below'), path.join(worktree(), 'below'))
  set('diff.external', trap('external'))
  set('diff.evil.textconv', trap('textconv'))
  set('diff.evil.command', trap('driver'))
  set('filter.evil.clean', trap('clean'))
  set('filter.evil.smudge', trap('smudge'))
  set('core.pager', trap('pager'))
  set('pager.log', trap('pager-log'))
  set('pager.branch', trap('pager-branch'))
  set('alias.log', `!${trap('alias')}`)
  set('gpg.program', trap('gpg'))
  set('log.showSignature', 'true')
  set('diff.submodule', 'diff')
  set('status.submoduleSummary', 'true')
  set('core.sshCommand', trap('ssh'))
  set('core.editor', trap('editor'))
  set('format.pretty', '%G? %h %s')
  fs.writeFileSync(at('more'), `[filter "included"]\n\tclean = ${trap('included')}\n`)
  set('include.path', at('more'))
  // Of the same length, so that only what is in it tells git that it has changed.
  write('a.txt', 'two\n')
  write('b.included', 'two\n')
  write('c.md', 'two\n')
}

/** What each of `commands` says, with its exit code, in one process. */
async function run(all: readonly string[], cwd = worktree()): Promise<{ said: string; code: number }[]> {
  const config = { commands: all, home: home(), cwd, kugetsu: at('kugetsu') }
  // One file for both streams: of two pipes it cannot be told what was written first.
  const output = fs.openSync(at('said'), 'w')
  expect(await shell.start(config, output, env()).ended).toBe(0)
  fs.closeSync(output)
  const parts = fs.readFileSync(at('said'), 'utf8').split(/\n=== (\d+)\n/)
  return all.map((_, index) => ({ said: parts[2 * index] ?? '', code: Number(parts[2 * index + 1]) }))
}
const one = async (command: string, cwd?: string) => (await run([command], cwd))[0]

const filled = (command: string) =>
  command.replaceAll('{worktree}', worktree()).replaceAll('{home}', home()).replaceAll('{file}', at('file'))

describe('the PM agent may read', () => {
  test.each(['base', 'worktrees/one'])('nothing outside of the worktrees from %s', async (directory) => {
    const results = await run(commands.outside.map(filled), at('home', directory))
    const through = results.flatMap(({ said, code }, index) =>
      code === 126 && !said.includes(secretText) ? [] : [{ command: commands.outside[index], said, code }],
    )
    expect(through).toEqual([])
  })

  test('nothing at all where its shell is put somewhere else', async () => {
    expect(await one('grep -r . .', at('home', 'env'))).toMatchObject({
      code: 126,
      said: expect.not.stringContaining(secretText),
    })
    expect(await one('git status', root)).toMatchObject({ code: 126 })
  })

  test('what is in worktrees, without the files of secrets that lie there', async () => {
    const [head, recursive, piped, counted] = await run([
      `head -1 README.md && tail -n 1 ${worktree()}/README.md`,
      `grep -r --include=.env --include='*.env*' --include='*' '[a-z]' -- ${worktree()}`,
      'cd below && git log --format=%s | grep -c below',
      'wc -l README.md a.txt | tail -1',
    ])
    expect(head).toMatchObject({ said: 'one\nthree\n', code: 0 })
    expect(recursive?.said).toContain('README.md:two')
    expect(recursive?.said).not.toContain(secretText)
    expect(piped).toMatchObject({ said: '1\n', code: 0 })
    expect(counted?.said).toMatch(/^ *4 total$/m)
  })
})

describe('a call', () => {
  test('gets its words and its text as they were written', async () => {
    const body = "$HOME `id` \\ 'open\n\n  END\n"
    const said = `kugetsu start a/b#1 - --queue <<'END'\n${body}END\nkugetsu start 'a b' "it's" ''`
    expect(await one(said)).toMatchObject({ said: `<start><a/b#1><-><--queue>${body}<start><a b><it's><>`, code: 0 })
  })

  test('writes where it says, and is followed by what is to follow', async () => {
    const [quiet, joined, first, alternative, sequence, nothing] = await run([
      'git nope >/dev/null 2>&1; head -1 nothing 2>/dev/null',
      'head -1 nothing 2>&1 | grep -c nothing',
      'head -1 nothing 2>/dev/null && kugetsu list',
      'head -1 nothing 2>/dev/null || kugetsu list',
      'cd below; kugetsu list | wc -c && git log --format=%s',
      '# nothing',
    ])
    expect(quiet).toMatchObject({ code: 126 })
    expect(joined).toMatchObject({ said: '1\n', code: 0 })
    expect(first).toMatchObject({ said: '', code: 1 })
    expect(alternative).toMatchObject({ said: '<list>', code: 0 })
    expect(sequence).toMatchObject({ said: '6\nbelow\n', code: 0 })
    expect(nothing).toMatchObject({ said: '', code: 0 })
  })

  test('ends when its reader has enough', async () => {
    const many = `git log ${'signed main '.repeat(50)} --format=%s | head -1`
    expect((await one(many))?.code).toBe(0)
  })

  test('of a program that a repository has put on the search path is not made', async () => {
    fs.copyFileSync(trap('wc'), path.join(worktree(), 'wc'))
    const config = { commands: ['wc README.md'], home: home(), cwd: worktree(), kugetsu: at('kugetsu') }
    const program = shell.start(config, undefined, { ...env(), PATH: `.:${worktree()}:/usr/bin:/bin` })
    expect(await program.ended).toBe(0)
    expect(program.said()).toContain('14 README.md')
    for (const file of [at('bin', 'wc'), path.join(worktree(), 'wc')]) fs.rmSync(file)
    expect(fs.existsSync(at('ran', 'wc'))).toBe(false)
  })
})

describe('of a repository', () => {
  const ran = () => fs.readdirSync(at('ran')).sort()
  const reads = [
    'git log',
    'git log -p --stat signed main --all',
    "git log --format='%G? %GK %h' signed",
    'git show signed',
    'git show HEAD:a.txt',
    'git diff',
    'git diff HEAD~0 -- a.txt b.included',
    'git diff --cached --stat',
    'git status',
    'git status --short --branch -uall',
    'git blame a.txt',
    'git blame -L 1,1 HEAD -- a.txt',
    'git shortlog -sn signed main',
    'git rev-parse --show-toplevel HEAD',
    'git ls-files -m -o --exclude-standard',
    'git branch -vv --all',
    "git branch --list 'v*'",
    'git remote -v',
    'cd below && git status && git log -1 && git diff',
  ]

  test('nothing is run, whatever its configuration names', async () => {
    // Without the wall they are: else this would show nothing.
    for (const call of [['status'], ['diff'], ['log', '--all', '-p'], ['blame', 'a.txt'], ['show', 'signed']]) {
      try {
        git(worktree(), ...call)
      } catch {
        // a trap fails as some of what it stands for may
      }
    }
    expect(ran()).toEqual(
      expect.arrayContaining(['monitor', 'clean', 'included', 'external', 'textconv', 'gpg', 'monitor-below']),
    )
    fs.rmSync(at('ran'), { recursive: true })
    fs.mkdirSync(at('ran'))
    const results = await run(reads)
    expect(results.filter(({ code }) => code !== 0)).toEqual([])
    expect(ran()).toEqual([])
    expect(results[5]?.said).toContain('+two')
    expect(git(worktree(), 'branch', '--list', 'victim')).toContain('victim')
  })

  test('no other one is found further up, nor one outside that is pointed to', async () => {
    git(root, 'init', '--quiet')
    git(root, 'add', 'file')
    fs.mkdirSync(at('home', 'worktrees', 'plain'))
    const elsewhere = path.join(home(), 'worktrees', 'elsewhere')
    git(root, 'init', '--quiet', elsewhere)
    git(elsewhere, 'config', 'core.worktree', root)
    // As somebody could have committed it in a tree.
    const inTree = path.join(worktree(), 'in-tree')
    git(root, 'init', '--quiet', '--bare', inTree)
    for (const [name, value] of [
      ['bare', 'false'],
      ['worktree', '.'],
      ['fsmonitor', trap('in-tree')],
    ] as const) {
      fs.appendFileSync(path.join(inTree, 'config'), `[core]\n\t${name} = ${value}\n`)
    }
    const results = await run([
      'cd in-tree && git status',
      'cd ../../base && git ls-files',
      'cd ../plain && git ls-files',
      'cd ../elsewhere && git status',
    ])
    const found = results.filter(({ said }) => !/there is no worktree|cannot use bare repository/.test(said))
    expect(found).toEqual([])
    expect(ran()).toEqual([])
  })
})
