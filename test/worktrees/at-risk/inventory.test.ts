import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bytesOf } from '../../../src/platform/byte-names.ts'
import { fetchMirror, openMirror } from '../../../src/worktrees/mirror/mirror.ts'
import { describeInventory, isAtRisk } from '../../../src/worktrees/at-risk/describe.ts'
import { type InventoryOptions, takeInventory } from '../../../src/worktrees/at-risk/inventory.ts'
import { addWorktree } from '../../../src/worktrees/worktrees.ts'
import { createGround, type Ground } from '../../helpers/git-repository.ts'

const branch = 'fix/issue-1'
let ground: Ground
let place: string
beforeEach(async () => {
  ground = createGround({ 'a.txt': 'one\n', '.gitignore': 'build/\n*.log\n' })
  place = ground.worktree('one')
  await openMirror(ground.repository, { url: ground.url })
  await addWorktree({ mirror: ground.repository, path: place, branch })
})
afterEach(() => ground.cleanup())

const inspect = (more: Partial<InventoryOptions> = {}) =>
  takeInventory({ path: place, mirror: ground.repository, branch, ...more })
const askRemote = () => fetchMirror(ground.repository)
const git = (...args: string[]) => ground.git(place, ...args)
const write = (file: string, text: string) => {
  fs.mkdirSync(path.dirname(path.join(place, file)), { recursive: true })
  fs.writeFileSync(path.join(place, file), text)
}
const commit = (file: string, text = file) => {
  write(file, text)
  git('add', '--all')
  git('commit', '--quiet', '--message', `Add ${file}`)
}
/** A rebase that stops at a conflict. */
const conflict = () => {
  const base = git('rev-parse', 'HEAD')
  commit('a.txt', 'mine\n')
  git('checkout', '--quiet', '-b', 'other', base)
  commit('a.txt', 'theirs\n')
  git('checkout', '--quiet', branch)
  expect(() => git('rebase', 'other')).toThrow()
}

describe('takeInventory', () => {
  it('finds nothing in a clean worktree', async () => {
    const [work, head] = [await inspect(), git('rev-parse', 'HEAD')]
    expect(work).toEqual({
      place: expect.objectContaining({ kind: 'worktree' }),
      heads: { head, on: branch, branches: new Map([[branch, head]]), incoming: [] },
      uncommitted: [],
      hidden: [],
      untracked: [],
      inProgress: undefined,
      unpushed: { count: 0, commits: new Set(), subjects: [] },
      parked: [],
      stashes: [],
      ignored: { names: [], kept: [], left: [], output: [], generated: [] },
      unasked: undefined,
      unsavable: [],
      unknown: [],
    })
    expect(isAtRisk(work)).toBe(false)
    expect(describeInventory(work)).toEqual([])
  })

  it('finds changed, deleted, staged, renamed and oddly named files', async () => {
    write('b.txt', 'some content to be recognised\n')
    write('gone.txt', 'x')
    commit('c.txt')
    git('push', '--quiet')
    write('a.txt', 'changed')
    fs.rmSync(path.join(place, 'gone.txt'))
    git('mv', 'b.txt', 'new "name"\n.txt')
    write('staged file', 's')
    git('add', 'staged file')
    const work = await inspect()
    expect(work.uncommitted.sort()).toEqual(['a.txt', 'gone.txt', 'new "name"\n.txt', 'staged file'])
    expect(work.unpushed.count).toBe(0)
    expect(isAtRisk(work)).toBe(true)
    expect(describeInventory(work)[0]).toMatch(/^4 uncommitted changes: /)
    expect(describeInventory(work).join('')).not.toContain('\n')
  })

  it("takes the $schema that opencode puts into a configuration for nobody's work, and any other change for work", async () => {
    const [schema, name] = ['{\n  "$schema": "https://opencode.ai/config.json",', 'app/opencode.jsonc']
    write('.gitattributes', '*.jsonc text eol=crlf\n')
    write(name, '\ufeff{ // ours\r\n  "model": "a/b"\r\n}\r\n')
    commit('opencode.json', '{ "model": "a/b" }\n')
    git('push', '--quiet')
    const ofOpencode = () => {
      write('opencode.json', `${schema} "model": "a/b" }\n`)
      write(name, `${schema} // ours\r\n  "model": "a/b"\r\n}\r\n`)
    }
    ofOpencode()
    expect(git('status', '--porcelain').split('\n')).toHaveLength(2)
    const work = await inspect()
    expect([work.uncommitted, isAtRisk(work)]).toEqual([[], false])

    const others: [string, () => void][] = [
      ['opencode.json', () => write('opencode.json', `${schema} "model": "a/c" }\n`)],
      ['opencode.json', () => write('opencode.json', '{ "model": "a/b" } \n')],
      ['opencode.json', () => git('add', 'opencode.json')],
      ['opencode.json', () => fs.chmodSync(path.join(place, 'opencode.json'), 0o755)],
      ['a.txt', () => write('a.txt', 'changed')],
      [name, () => write(name, `${schema} // ours\n  "model": "a/b"\n}\n`)],
    ]
    for (const [changed, change] of others) {
      change()
      expect([changed, (await inspect()).uncommitted]).toEqual([changed, [changed]])
      git('reset', '--hard', '--quiet')
      ofOpencode()
    }
  })

  it('finds untracked files, and tells ignored ones apart', async () => {
    write('build/deep/out', 'o')
    write('x.log', 'l')
    const ignored = await inspect()
    expect(ignored.ignored.names.toSorted()).toEqual(['build/', 'x.log'])
    expect(isAtRisk(ignored)).toBe(false)
    write('new.txt', 'n')
    write('dir/deep/file', 'd')
    const work = await inspect()
    expect(work.untracked.sort()).toEqual(['dir/', 'new.txt'])
    expect(isAtRisk(work)).toBe(true)
  })

  it('finds untracked files also where the user hides them from git status', async () => {
    ground.git(ground.root, 'config', '--global', 'status.showUntrackedFiles', 'no')
    write('new.txt', 'n')
    expect((await inspect()).untracked).toEqual(['new.txt'])
  })

  it('finds unpushed commits until they are pushed', async () => {
    commit('x.txt')
    commit('y.txt')
    const work = await inspect()
    expect(work.unpushed).toMatchObject({ count: 2, subjects: ['Add y.txt', 'Add x.txt'] })
    expect(describeInventory(work)).toEqual(['2 unpushed commits: Add y.txt, Add x.txt'])
    git('push', '--quiet')
    expect(isAtRisk(await inspect())).toBe(false)
  })

  it('finds commits of the branch and of a detached HEAD', async () => {
    commit('x.txt')
    git('checkout', '--quiet', '--detach', 'origin/main')
    commit('y.txt')
    expect((await inspect()).unpushed.subjects.sort()).toEqual(['Add x.txt', 'Add y.txt'])
  })

  it('looks at the remote when asked to: what was deleted there is not pushed', async () => {
    commit('x.txt')
    git('push', '--quiet')
    ground.git(ground.remote, 'branch', '-D', branch)
    expect((await inspect()).unpushed.count).toBe(0)
    expect((await inspect({ askRemote })).unpushed.count).toBe(1)
  })

  it('does not know when it is to look at the remote and cannot', async () => {
    const made = fs.readFileSync(path.join(ground.mirror, 'worktrees', 'one', 'logs', 'HEAD'))
    commit('x.txt')
    git('push', '--quiet')
    fs.renameSync(ground.remote, `${ground.remote}.away`)
    const work = await inspect({ askRemote })
    expect(work.unasked).toContain('not found')
    expect(isAtRisk(work)).toBe(true)
    // As it was made it has nothing that the remote would have to have.
    git('reset', '--quiet', '--hard', 'origin/main')
    fs.writeFileSync(path.join(ground.mirror, 'worktrees', 'one', 'logs', 'HEAD'), made)
    expect((await inspect({ askRemote })).unasked).toBeUndefined()
  })

  it('counts the stashes of the branch, not those of other worktrees', async () => {
    write('a.txt', 'changed')
    git('stash', '--quiet')
    git('checkout', '--quiet', '-b', 'other')
    write('a.txt', 'changed again')
    git('stash', 'push', '--quiet', '--message', 'with a message')
    git('checkout', '--quiet', branch)
    const work = await inspect()
    expect(work.stashes).toHaveLength(1)
    expect(isAtRisk(work)).toBe(true)
    expect(describeInventory(work)).toEqual(['1 stash'])
  })

  it('finds a rebase and a merge that are not finished', async () => {
    conflict()
    const rebasing = await inspect()
    expect(rebasing.inProgress).toBe('a rebase')
    expect(rebasing.uncommitted).toEqual(['a.txt'])
    git('rebase', '--abort')
    expect(() => git('merge', 'other')).toThrow()
    git('checkout', '--ours', 'a.txt')
    git('add', 'a.txt')
    expect(await inspect()).toMatchObject({ inProgress: 'a merge', uncommitted: [] })
    expect(isAtRisk(await inspect())).toBe(true)
  })

  it('leaves the index of the worktree alone', async () => {
    const index = path.join(ground.mirror, 'worktrees', 'one', 'index')
    const future = new Date(Date.now() + 60_000)
    fs.utimesSync(path.join(place, 'a.txt'), future, future)
    const before = fs.readFileSync(index)
    await inspect()
    expect(fs.readFileSync(index).equals(before)).toBe(true)
  })
})

describe('commits that only the records of a worktree name', () => {
  it('are saved, and no reason to keep it', async () => {
    git('checkout', '--quiet', '--detach')
    commit('left.txt')
    const left = git('rev-parse', 'HEAD')
    git('checkout', '--quiet', branch)
    commit('old.txt')
    git('commit', '--quiet', '--amend', '--message', 'Better')
    const amended = git('rev-parse', 'HEAD@{1}')
    git('push', '--quiet')
    const parked = git('commit-tree', '-p', 'HEAD', '-m', 'parked', 'HEAD^{tree}')
    git('update-ref', 'refs/worktree/wip', parked)
    const elsewhere = git('commit-tree', '-p', 'HEAD', '-m', 'of another branch', 'HEAD^{tree}')
    git('branch', 'another', elsewhere)
    git('update-ref', 'refs/worktree/also', elsewhere)
    fs.writeFileSync(path.join(ground.mirror, 'worktrees', 'one', 'ORIG_HEAD'), `${'1'.repeat(40)}\n`)
    const found = await inspect({ askRemote })
    expect(new Map(found.parked.map(({ commit: one, from }) => [one, from]))).toEqual(
      new Map([
        [left, 'logs/HEAD'],
        [amended, 'logs/HEAD'],
        [parked, 'refs/worktree/wip'],
      ]),
    )
    expect(describeInventory(found)).toEqual([])
  })

  it('are found though a tag is named like the branch', async () => {
    git('tag', branch)
    commit('x.txt')
    expect((await inspect()).heads).toMatchObject({ on: branch, head: git('rev-parse', 'HEAD') })
  })
})

it('has the lock that its user put there as a reason of its own', async () => {
  ground.git(ground.mirror, 'worktree', 'lock', '--reason', 'on a stick', place)
  const found = await inspect()
  expect(found.unsavable).toEqual(['it is locked: on a stick'])
  expect(isAtRisk(found)).toBe(true)
})

it('has names as they are, whatever bytes they have', async () => {
  const bytes = Buffer.from(Array.from({ length: 255 }, (_, at) => at + 1).filter((byte) => byte !== 0x2f))
  const ignored = Buffer.concat([bytes.subarray(0, 250), Buffer.from('.log')])
  for (const name of [bytes, ignored]) fs.writeFileSync(Buffer.concat([Buffer.from(`${place}/`), name]), 'x')
  const found = await inspect()
  expect(found.untracked.map(bytesOf)).toEqual([bytes])
  expect(found.ignored.kept.map(bytesOf)).toEqual([ignored])
})

describe('takeInventory of a worktree that is missing', () => {
  beforeEach(() => {
    write('a.txt', 'staged')
    git('add', 'a.txt')
  })

  it('finds the commits of its branch and what its index has', async () => {
    git('commit', '--quiet', '--message', 'Change a')
    write('b.txt', 'b')
    git('add', 'b.txt')
    fs.rmSync(place, { recursive: true })
    const work = await inspect()
    expect(describeInventory(work)).toEqual(['1 uncommitted change: b.txt', '1 unpushed commit: Change a'])
    expect(isAtRisk(work)).toBe(true)
  })

  it('finds nothing where all was pushed', async () => {
    git('commit', '--quiet', '--message', 'Change a')
    git('push', '--quiet')
    fs.rmSync(place, { recursive: true })
    expect(isAtRisk(await inspect())).toBe(false)
  })
})

describe('takeInventory does not know', () => {
  it('about a directory that is not a worktree of the mirror', async () => {
    fs.rmSync(path.join(place, '.git'))
    expect((await inspect()).unknown[0]).toContain('is not a worktree of')
  })

  it('without a mirror', async () => {
    fs.rmSync(ground.mirror, { recursive: true })
    const work = await inspect()
    expect(work.unknown[0]).toContain('mirror')
    expect(isAtRisk(work)).toBe(true)
  })

  it('when git fails', async () => {
    fs.writeFileSync(path.join(ground.mirror, 'worktrees', 'one', 'index'), 'garbage, not an index')
    const work = await inspect()
    expect(work.unknown[0]).toMatch(/index file/)
    expect(describeInventory(work)[0]).toMatch(/^cannot tell what would be lost: /)
  })

  const pipe = (file: string) => {
    fs.rmSync(file, { force: true })
    execFileSync('mkfifo', [file])
  }

  it('what a pipe holds in the place of a tracked file, and waits for none', async () => {
    commit('opencode.json', '{}\n')
    commit('dir/b.txt')
    git('push', '--quiet')
    pipe(path.join(place, 'opencode.json'))
    pipe(path.join(place, 'dir/b.txt'))
    const work = await inspect()
    expect(work.uncommitted.sort()).toEqual(['dir/b.txt', 'opencode.json'])
    expect(work.unsavable.sort()).toEqual([
      'dir/b.txt is a pipe in the place of a file, which cannot be saved',
      'opencode.json is a pipe in the place of a file, which cannot be saved',
    ])
  })

  it.each(['.gitignore', '.gitattributes', 'dir/.gitignore'])(
    'anything where git would wait at a pipe: %s',
    async (name) => {
      commit('dir/b.txt')
      pipe(path.join(place, name))
      const work = await inspect()
      expect(work.unknown).toEqual([`${name} is a pipe, for which git would wait: it cannot look at the files`])
      expect(isAtRisk(work)).toBe(true)
    },
  )

  it('what the log of HEAD named that is a pipe now', async () => {
    const file = path.join(ground.mirror, 'worktrees', 'one', 'logs', 'HEAD')
    pipe(file)
    expect((await inspect({ askRemote })).unknown.join()).toContain(`cannot understand ${file}: it is a pipe`)
  })

  it('and is interrupted rather than silent', async () => {
    await expect(inspect({ mirror: ground.repository.with({ signal: AbortSignal.abort() }) })).rejects.toThrow()
  })
})
