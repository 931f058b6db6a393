import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { repositoryAt } from '../../src/git/repository.ts'
import { placeWorktree } from '../../src/worktrees/place-worktree.ts'
import { startGitServer } from '../helpers/git-server.ts'
import { createHome } from '../helpers/home.ts'
import type { Row } from './bench.ts'
import { startLargeRemote } from './large-remote.ts'
import { interleave, timeOfCall } from './measure.ts'

const name = 'me/large'
const megabyte = 1_000_000

/** A working directory for one more issue of a repository that has worktrees already. */
export const worktrees: Row = {
  name: 'worktrees',
  title: 'a working directory for one more issue of a large repository',
  run: async (bench) => {
    const git = await startGitServer()
    bench.afterwards(() => git.stop())
    const home = createHome({ findsProviders: true })
    bench.afterwards(() => home.cleanup())
    bench.doing('making a repository')
    const repository = git.pathOf(name)
    const web = await startLargeRemote(repository, path.dirname(path.dirname(repository)), home.env)
    bench.afterwards(() => web.stop())
    const url = `${web.url}/${name}.git`
    const at = (...parts: string[]) => path.join(home.root, ...parts)
    const from = (remote: string, place: string) => (directory: string, branch: string) => {
      const how = { env: home.env, timeoutMs: 600_000, lockFile: at(`${place}.lock`) }
      const own = repositoryAt(at('repos', `${place}.git`), how)
      return placeWorktree({ mirror: own, url: remote, path: directory, branch })
    }
    const mirror = at('repos', 'http.git')
    const overHttp = from(url, 'http')
    const overGit = from(`${git.url}/${name}.git`, 'git')
    bench.doing('the first ones, which clone')
    await overHttp(at('worktrees', 'first'), 'fix/first')
    await overGit(at('worktrees', 'first-git'), 'fix/first')
    const run = (cwd: string, ...args: string[]) => execFileSync('git', args, { cwd, env: home.env, stdio: 'pipe' })
    let last = { worktree: '', clone: '' }
    const grown: number[] = []
    const takes = {
      kugetsu: async (round: number) => {
        const directory = at('worktrees', `own-${round}`)
        const before = sizeOf(mirror)
        const took = await timeOfCall(() => overHttp(directory, `fix/issue-${round}`))
        grown.push(sizeOf(mirror) - before + sizeOf(directory))
        last.worktree = directory
        return took
      },
      git: (round: number) => timeOfCall(() => overGit(at('worktrees', `git-${round}`), `fix/git-${round}`)),
      plain: (round: number) =>
        timeOfCall(() =>
          run(
            mirror,
            'worktree',
            'add',
            '-q',
            '--no-track',
            '-b',
            `plain-${round}`,
            at(`plain-${round}`),
            'origin/main',
          ),
        ),
    }
    const clone = (round: number) => {
      if (last.clone !== '') fs.rmSync(last.clone, { recursive: true })
      last.clone = at(`clone-${round}`)
      return timeOfCall(() => run(home.root, 'clone', '-q', url, last.clone))
    }
    bench.doing('worktrees and clones')
    const few = await interleave(bench.rounds(3), { kugetsu: takes.kugetsu, clone })
    bench.figure('time', {
      unit: 'ms',
      measured: few.kugetsu,
      baseline: few.clone,
      against: 'git clone, as the bash tool did for each issue',
      limit: 0.033,
    })
    const checkout = sizeOf(last.worktree)
    bench.figure('disk', {
      unit: 'MB',
      measured: grown.map((bytes) => bytes / megabyte),
      baseline: [sizeOf(last.clone) / megabyte],
      against: 'git clone, as the bash tool did for each issue',
    })
    const many = await interleave(bench.rounds(10), {
      kugetsu: (round) => takes.kugetsu(100 + round),
      git: (round) => takes.git(100 + round),
      plain: (round) => takes.plain(100 + round),
    })
    bench.figure('time', {
      unit: 'ms',
      measured: many.kugetsu,
      baseline: many.plain,
      against: 'git worktree add by hand, without a fetch',
      limit: 1.1,
    })
    bench.figure('time, over git://', {
      unit: 'ms',
      measured: many.git,
      baseline: many.plain,
      against: 'git worktree add by hand, without a fetch',
    })
    bench.figure('disk', {
      unit: 'MB',
      measured: grown.map((bytes) => bytes / megabyte),
      baseline: [checkout / megabyte],
      against: 'the files that are checked out',
      limit: 1.1,
    })
    const objects = run(repository, 'count-objects', '-v').toString()
    const packed = Number(/^size-pack: (\d+)$/m.exec(objects)?.[1] ?? 0) / 1000
    const number = Number(/^in-pack: (\d+)$/m.exec(objects)?.[1] ?? 0)
    bench.note(
      `the repository has ${packed.toFixed(0)} MB in ${number} objects, its checkout ${(checkout / megabyte).toFixed(0)} MB`,
    )
  },
}

/** What a directory takes on disk, in bytes. */
function sizeOf(directory: string): number {
  const out = execFileSync('du', ['-sk', directory], { encoding: 'utf8' })
  return Number(out.split('\t')[0]) * 1024
}
