import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHome, type Home } from '../helpers/home.ts'
import { programPath, run, spawnKugetsu, type Finished, type Running } from '../helpers/kugetsu.ts'
import { killLeftovers, leftovers } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

/** The throwaway directory that a demo says it plays in. */
function rootIn(said: string): string {
  const root = /\/\S*kugetsu-demo-\w+/.exec(said)?.[0]
  if (root === undefined) throw new Error(`no directory in: ${said}`)
  return root
}

/** What a command printed, by the line that shows the command. */
function outputOf(said: string, command: string): string {
  // A long command is in several rows.
  const [, after] = said.replaceAll(/ \\\n +/g, ' ').split(`$ kugetsu ${command}`)
  if (after === undefined) throw new Error(`${command} was not run: ${said}`)
  return after.split('\n\n')[0] ?? ''
}

/** Nothing but the empty directories that were there before. */
function userFiles(home: Home): string[] {
  return fs.readdirSync(home.root, { recursive: true, encoding: 'utf8' }).sort()
}

describe('the demo', () => {
  let home: Home
  let before: string[]
  let ended: Finished

  beforeAll(async () => {
    home = createHome({ findsProviders: true })
    before = userFiles(home)
    // As `npm run demo` does; from elsewhere it names itself by its whole path, which may be as long as it likes.
    ended = await run(home, ['demo'], { cwd: fileURLToPath(new URL('../..', import.meta.url)) })
  })
  afterAll(() => home.cleanup())

  it('plays to its end', () => {
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toContain('What next')
  })

  it('shows two agents at work and a third that the limit refuses', () => {
    for (const [issue, how] of [
      ['1', `file://${rootIn(ended.stdout)}/tea/shop.git#1`],
      ['2', 'local/tea/shop#2'],
    ] as const) {
      expect(outputOf(ended.stdout, `start ${how}`)).toContain(`fix/issue-${issue} (from main)`)
      expect(outputOf(ended.stdout, 'list')).toMatch(new RegExp(`shop#${issue} +running .*fix/issue-${issue}`))
    }
    expect(outputOf(ended.stdout, 'list')).toMatch(/REF +STATUS +TASK +LAST +BRANCH\n/)
    const refused = outputOf(ended.stdout, 'start local/tea/shop#3')
    expect(refused).toContain('no free slot: 2 of 2 agents are at work')
    expect(refused).toContain('exit code 2')
  })

  it('shows what they did: a test that fails, a change, the test that passes', () => {
    for (const [command, program] of [
      ['logs -f shop#1', 'bill'],
      ['logs shop#2', 'split'],
    ] as const) {
      const rest = ended.stdout.slice(ended.stdout.indexOf(`$ kugetsu ${command}`))
      expect(rest).toMatch(
        new RegExp(
          `node ${program}.test.js\\n.*FAILED[^]*edit ${program}.js \\(\\+1 -1\\)[^]*node ${program}.test.js\\n.*ok:`,
        ),
      )
      expect(rest).toContain('■ finished after')
    }
  })

  it('shows the commits of both on the git server', () => {
    const log = ended.stdout.split('git -C shop.git log')[1] ?? ''
    expect(log).toMatch(/\(fix\/issue-1\) Add prices as numbers/)
    expect(log).toMatch(/\(fix\/issue-2\) Let nobody pay nothing/)
    expect(log).toMatch(/\(HEAD -> main\) Open the tea shop/)
  })

  it('cleans up before its audience', () => {
    for (const issue of ['1', '2']) {
      expect(outputOf(ended.stdout, `destroy -y shop#${issue}`)).toContain(`Destroyed local/tea/shop#${issue}`)
    }
    expect(outputOf(ended.stdout, 'status')).toContain('agents     0 of 2 running')
  })

  it('fits a terminal of 80 columns and has no colours in a pipe', () => {
    const rows = ended.stdout.split('\n')
    // Where it is one executable file it names itself by its whole path.
    expect(rows.filter((row) => row.length > 80 && !row.includes(programPath))).toEqual([])
    expect(ended.stdout).not.toContain('\u001b')
  })

  it('leaves nothing behind, neither of its own nor with the user', () => {
    const root = rootIn(ended.stdout)
    expect(fs.existsSync(root)).toBe(false)
    expect(leftovers(root)).toEqual([])
    expect(userFiles(home)).toEqual(before)
  })
})

describe('a demo that cannot go on', () => {
  let home: Home

  beforeAll(() => {
    home = createHome({ findsProviders: true })
  })
  afterAll(() => home.cleanup())

  it('says at once that there is no opencode', async () => {
    const ended = await run(home, ['demo'], { env: { KUGETSU_OPENCODE: '/nowhere/opencode' } })
    expect(ended.code).toBe(1)
    expect(ended.stdout).toBe('')
    expect(ended.stderr).toMatch(/^Error: no opencode program at \/nowhere\/opencode.*\nHint: .*npm install/)
  })

  it('says at once that TMPDIR names no directory', async () => {
    const ended = await run(home, ['demo'], { env: { TMPDIR: '/nowhere/at/all' } })
    expect(ended).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'Error: TMPDIR names no directory: /nowhere/at/all\nHint: Make it, or unset TMPDIR.\n',
    })
  })

  it('names the command that failed, shows what it said, and cleans up', async () => {
    const broken = path.join(home.root, 'broken')
    fs.writeFileSync(broken, '#!/bin/sh\n[ "$1" = --version ] && echo 1.18.0 && exit\necho boom >&2\nexit 3\n', {
      mode: 0o755,
    })
    const ended = await run(home, ['demo'], { env: { KUGETSU_OPENCODE: broken } })
    expect(ended.code).toBe(1)
    expect(outputOf(ended.stdout, 'start file:')).toContain('boom')
    expect(ended.stderr).toMatch(/"kugetsu start file:\S+#1 [^\n]*" ended with exit code 1/)
    const root = rootIn(ended.stdout)
    expect(fs.existsSync(root)).toBe(false)
    expect(leftovers(root)).toEqual([])
  })
})

describe('a demo that is interrupted', () => {
  let home: Home
  const demos: string[] = []

  beforeAll(() => {
    home = createHome({ findsProviders: true })
  })
  afterAll(async () => {
    for (const root of demos) await killLeftovers(root)
    await home.cleanup()
  })

  /** A demo with an agent at work. */
  async function demoAtWork(args: string[] = []): Promise<{ demo: Running; root: string }> {
    const demo = spawnKugetsu(home, ['demo', ...args])
    await waitFor('an agent at work', () => demo.stdout().includes('An agent works on local/tea/shop#1'))
    const root = rootIn(demo.stdout())
    demos.push(root)
    return { demo, root }
  }

  it('ends everything and removes everything at a signal', async () => {
    const { demo, root } = await demoAtWork()
    expect(leftovers(root).map(({ command }) => command)).toContainEqual(expect.stringContaining('serve'))
    demo.child.kill('SIGINT')
    const ended = await demo.finished
    expect(ended.code).toBe(130)
    expect(ended.stdout).toContain('Broken off')
    expect(fs.existsSync(root)).toBe(false)
    expect(leftovers(root)).toEqual([])
    expect(ended.stderr).toBe('Interrupted\n')
  })

  it('also when an impatient person gives one signal after the other', async () => {
    const { demo, root } = await demoAtWork()
    const again = setInterval(() => demo.child.kill('SIGINT'), 1)
    await demo.finished
    clearInterval(again)
    expect(fs.existsSync(root)).toBe(false)
    expect(leftovers(root)).toEqual([])
  })

  it('also when whoever reads it goes away', async () => {
    const { demo, root } = await demoAtWork()
    demo.child.stdout?.destroy()
    await demo.finished
    expect(fs.existsSync(root)).toBe(false)
    expect(leftovers(root)).toEqual([])
  })

  it('with --keep leaves its files, but no process', async () => {
    const { demo, root } = await demoAtWork(['--keep'])
    demo.child.kill('SIGINT')
    expect((await demo.finished).code).toBe(130)
    expect(leftovers(root)).toEqual([])
    const worktree = path.join(root, '.kugetsu', 'worktrees', 'local-tea-shop-1')
    expect(execFileSync('git', ['-C', worktree, 'branch', '--show-current'], { encoding: 'utf8' })).toBe(
      'fix/issue-1\n',
    )
  })
})
