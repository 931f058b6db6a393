/**
 * Worktrees built of random pieces, as agents leave them, are destroyed; `git gc --prune=now` runs in another worktree of the
 * mirror; then they are recovered. Every file and every commit is there again, unless it was named in a refusal or as gone.
 * `npm run test:survival` has 500 of them; `KUGETSU_TEST_SEED=<number>` those of a failure again, `KUGETSU_TEST_CASES` says how many.
 */
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { boolean, constantFrom, record, array, sample, uint8Array, uniqueArray } from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { messageOf } from '../../../src/core/errors.ts'
import { byteName, charactersOf, displayName, listNames, nameIn, placeIn } from '../../../src/platform/byte-names.ts'
import { destroyIssue } from '../../../src/sessions/cleanup/destroy.ts'
import { listSaved, recoverWork } from '../../../src/sessions/cleanup/recover.ts'
import { createIssueGround, type IssueGround } from '../../helpers/issue-ground.ts'

const cases = Number(process.env['KUGETSU_TEST_CASES'] ?? 25)
const seed = Number(process.env['KUGETSU_TEST_SEED'] ?? 20_261_130)
const lanes = 3
const recovered = '.kugetsu-recovered'
const large = 21 * 1024 * 1024

interface Lane {
  ground: IssueGround
  /** A worktree of the same mirror. */
  bystander: string
}

interface Case {
  pieces: string[]
  names: Uint8Array[]
  force: boolean
}

/** A worktree in the making. */
interface Work {
  ground: IssueGround
  place: string
  number: number
  /** A name of random bytes, another one each time. */
  name: () => Buffer
  git: (...args: string[]) => string
  /** Writes a file of the worktree; the name may be any bytes. */
  write: (name: string | Buffer, content?: string) => void
  /** Commits all that is there; the commit has to be found again. */
  commit: () => string
  /** Commits that have to be found again. */
  commits: string[]
  /** What has to be named in a refusal, whatever is asked for. */
  refused: string[]
  /** What is named as gone. */
  gone: string[]
  /** What tools make: it goes, and is named where anything is saved. */
  made: string[]
}

/** A repository in a directory of the worktree, with a commit that nothing else has. */
const inner = (at: Work, directory: string) => {
  const place = path.join(at.place, directory)
  at.ground.git(at.ground.root, 'init', '--quiet', place)
  fs.writeFileSync(path.join(place, 'only.txt'), `only here ${at.number}`)
  at.ground.git(place, 'add', '--all')
  at.ground.git(place, 'commit', '--quiet', '--message', 'Only here')
}
const submodule = (at: Work, directory: string) => {
  const url = path.join(at.ground.root, 'sub.git')
  at.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', url, directory)
  at.commit()
  at.git('push', '--quiet', 'origin', `HEAD:refs/heads/with-${directory}-${at.number}`)
  return path.join(at.place, directory)
}
const ahead = (at: Work, place: string) => {
  fs.writeFileSync(path.join(place, 'only.txt'), `only here ${at.number}`)
  at.ground.git(place, 'add', '--all')
  at.ground.git(place, 'commit', '--quiet', '--message', 'Only in the submodule')
}

const pieces: Record<string, (at: Work) => void> = {
  'commits on its branch': (at) => (at.write(at.name()), void at.commit()),
  'a commit on a detached HEAD': (at) => (
    at.git('checkout', '--quiet', '--detach'),
    at.write('d.txt'),
    void at.commit()
  ),
  'a commit on a detached HEAD that was left': (at) => {
    const before = at.git('rev-parse', '--abbrev-ref', 'HEAD')
    at.git('checkout', '--quiet', '--detach')
    at.write('left.txt')
    at.commit()
    at.git('checkout', '--quiet', before === 'HEAD' ? '-' : before)
  },
  'an amended commit': (at) => {
    at.write('amended.txt')
    at.commit()
    at.git('commit', '--quiet', '--amend', '--message', `Amended ${at.number}`)
    at.commits.push(at.git('rev-parse', 'HEAD'))
  },
  'a reset commit': (at) => {
    at.write('reset.txt')
    at.commit()
    at.git('reset', '--quiet', '--hard', 'HEAD^')
  },
  'a ref of the worktree': (at) => {
    at.write('wip.txt')
    at.commit()
    at.git('update-ref', `refs/worktree/wip-${at.commits.length}`, 'HEAD')
    at.git('reset', '--quiet', '--hard', 'HEAD^')
  },
  'a stash': (at) => {
    at.write(at.name(), 'stashed')
    at.git('stash', 'push', '--quiet', '--include-untracked')
    at.commits.push(at.git('rev-parse', 'stash@{0}'), at.git('rev-parse', 'stash@{0}^3'))
  },
  'another branch': (at) => {
    const before = at.git('rev-parse', 'HEAD')
    at.git('checkout', '--quiet', '-b', `side-${at.number}-${at.commits.length}`)
    at.write('side.txt')
    at.commit()
    at.git('checkout', '--quiet', '--detach', before)
  },
  'a pushed commit': (at) => {
    at.write('pushed.txt')
    at.commit()
    at.git('push', '--quiet', 'origin', `HEAD:refs/heads/pushed-${at.number}-${at.commits.length}`)
  },
  'a changed file': (at) => {
    const name = at.name()
    at.write(name, 'as it was')
    at.commit()
    at.write(name, 'changed\r\n')
  },
  'a staged file that was changed again': (at) => (
    at.write('a.txt', 'staged'),
    at.git('add', 'a.txt'),
    at.write('a.txt', 'again')
  ),
  'a deleted file': (at) => fs.rmSync(path.join(at.place, 'gone.txt'), { force: true }),
  'an untracked file': (at) => at.write(at.name()),
  'an untracked directory': (at) => at.write(Buffer.concat([at.name(), Buffer.from('/'), at.name()])),
  'an ignored file': (at) => at.write(Buffer.concat([Buffer.from('ign-'), at.name().subarray(0, 200)])),
  'an ignored directory': (at) => at.write(Buffer.concat([Buffer.from('ign/'), at.name()])),
  'a link to nothing': (at) => fs.symlinkSync(at.name(), placeIn(at.place, byteName(at.name()))),
  'a file that git was told not to look at': (at) => {
    at.git('update-index', at.number % 2 === 0 ? '--assume-unchanged' : '--skip-worktree', 'a.txt')
    at.write('a.txt', `hidden ${at.number}`)
  },
  'a large ignored file': (at) => {
    at.write('ign-large', 'x')
    fs.truncateSync(path.join(at.place, 'ign-large'), large)
    at.gone.push('ign-large')
  },
  'patches of a git am that stopped': (at) => {
    const patch = (number: number) =>
      `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\nSubject: [PATCH ${number}/2] Change it\n\n` +
      `---\ndiff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-was never there\n+${number}\n-- \n2.39\n\n`
    const mbox = path.join(at.ground.root, `${at.number}.mbox`)
    fs.writeFileSync(mbox, patch(1) + patch(2))
    expect(() => at.git('am', mbox)).toThrow()
    fs.rmSync(mbox)
  },
  packages: (at) => (at.write('node_modules/m/index.js'), void at.made.push('node_modules/')),
  'a repository in an untracked directory': (at) => (inner(at, 'inner'), void at.refused.push('inner')),
  'a repository that was committed as a link': (at) => {
    inner(at, 'linked')
    at.git('add', '--all')
    at.commit()
    at.git('push', '--quiet', 'origin', `HEAD:refs/heads/linked-${at.number}`)
    at.refused.push('linked')
  },
  'a repository among ignored files': (at) => (inner(at, 'ign/inner'), void at.refused.push('ign/inner')),
  'a repository among packages': (at) => (inner(at, 'node_modules/dev'), void at.refused.push('node_modules/dev')),
  'a clone whose source is gone': (at) => {
    const source = path.join(at.ground.root, `source-${at.number}`)
    at.ground.git(at.ground.root, 'init', '--quiet', source)
    at.ground.git(source, 'commit', '--quiet', '--allow-empty', '--message', 'The only copy')
    at.ground.git(at.ground.root, 'clone', '--quiet', source, path.join(at.place, 'ign', 'copy'))
    fs.rmSync(source, { recursive: true })
    at.refused.push('ign/copy')
  },
  'a clone whose source has gone on': (at) => {
    const source = path.join(at.ground.root, `lively-${at.number}`)
    const commit = () => at.ground.git(source, 'commit', '--quiet', '--allow-empty', '--message', 'One more')
    at.ground.git(at.ground.root, 'init', '--quiet', source)
    commit()
    at.ground.git(at.ground.root, 'clone', '--quiet', source, path.join(at.place, 'node_modules', 'lively'))
    commit()
    at.made.push('node_modules/')
  },
  'a worktree among ignored files': (at) => {
    at.git('worktree', 'add', '--quiet', '--detach', 'ign/tree')
    fs.writeFileSync(path.join(at.place, 'ign', 'tree', 'new.txt'), 'new')
    at.refused.push('ign/tree')
  },
  'a submodule as it was fetched': (at) => void submodule(at, 'sub-clean'),
  'a submodule with a commit': (at) => {
    const place = submodule(at, 'sub-ahead')
    ahead(at, place)
    at.commit()
    at.git('push', '--quiet', 'origin', `HEAD:refs/heads/ahead-${at.number}`)
    at.refused.push('sub-ahead')
  },
  'a submodule with a stash': (at) => {
    const place = submodule(at, 'sub-stash')
    fs.writeFileSync(path.join(place, 's.txt'), 'changed')
    at.ground.git(place, 'stash', '--quiet')
    at.refused.push('sub-stash')
  },
  'a submodule that was taken out': (at) => {
    const place = submodule(at, 'sub-out')
    ahead(at, place)
    at.git('submodule', '--quiet', 'deinit', '--force', 'sub-out')
    at.refused.push('sub-out')
  },
}

let ready: Lane[]
beforeAll(async () => {
  ready = await Promise.all(
    Array.from({ length: lanes }, async () => {
      const ground = createIssueGround({
        'a.txt': 'one\n',
        'gone.txt': 'x',
        '.gitignore': 'ign*\nnode_modules/\n',
        '.gitattributes': '*.txt text=auto\n',
      })
      const sub = path.join(ground.root, 'sub')
      ground.git(ground.root, 'init', '--quiet', sub)
      fs.writeFileSync(path.join(sub, 's.txt'), 's')
      ground.git(sub, 'add', '--all')
      ground.git(sub, 'commit', '--quiet', '--message', 'A submodule')
      ground.git(ground.root, 'clone', '--quiet', '--bare', sub, path.join(ground.root, 'sub.git'))
      return { ground, bystander: (await ground.issue(90_000)).path }
    }),
  )
}, 120_000)
afterAll(() => ready.forEach(({ ground }) => ground.cleanup()))

/** The files with a hash of each, by their bytes; what lies in repositories inside is for git to compare. */
function filesOf(place: string): Map<string, string> {
  const found = new Map<string, string>()
  const walk = (prefix: string) => {
    for (const name of listNames(prefix === '' ? place : placeIn(place, nameIn(prefix.slice(0, -1))))) {
      const whole = prefix + charactersOf(name)
      const full = placeIn(place, nameIn(whole))
      const stat = fs.lstatSync(full)
      if (stat.isDirectory()) {
        if (!listNames(full).some((each) => charactersOf(each) === '.git')) walk(`${whole}/`)
      } else if (whole !== '.git') {
        const content = stat.isSymbolicLink() ? fs.readlinkSync(full, { encoding: 'buffer' }) : fs.readFileSync(full)
        found.set(whole, createHash('sha1').update(content).digest('hex'))
      }
    }
  }
  walk('')
  return found
}

async function build(lane: Lane, number: number, given: Case): Promise<Work & { issue: string }> {
  const { ground } = lane
  const { name: issue, path: place } = await ground.issue(number)
  const names = given.names.map((each) => Buffer.from(each))
  let used = 0
  const at: Work = {
    ground,
    place,
    number,
    name: () => {
      const [base = Buffer.from('n'), ending] = [names[used % names.length], Buffer.from(`-${used++}`)]
      return Buffer.concat([base.subarray(0, 255 - ending.length), ending])
    },
    git: (...args) => ground.git(place, ...args),
    write: (name, content = `content ${number}`) => {
      const full = placeIn(place, byteName(name))
      fs.mkdirSync(full.subarray(0, full.lastIndexOf('/')), { recursive: true })
      fs.writeFileSync(full, content)
    },
    commit: () => {
      at.git('add', '--all')
      at.git('commit', '--quiet', '--allow-empty', '--message', `Commit ${at.commits.length}`)
      const commit = at.git('rev-parse', 'HEAD')
      at.commits.push(commit)
      return commit
    },
    commits: [],
    refused: [],
    gone: [],
    made: [],
  }
  for (const piece of given.pieces) pieces[piece]?.(at)
  return { ...at, issue }
}

/** What git keeps of an operation in progress that stopped, by the names of its files. */
function operationOf(ground: IssueGround, place: string): Map<string, string> {
  const folder = path.resolve(place, ground.git(place, 'rev-parse', '--git-dir'), 'rebase-apply')
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : []
  return new Map(names.map((name) => [name, fs.readFileSync(path.join(folder, name), 'latin1')]))
}

/** What is wrong with how it went; nothing where all is found again, or was named. */
async function live(lane: Lane, number: number, given: Case): Promise<string[]> {
  const { ground, bystander } = lane
  const { service } = ground
  const work = await build(lane, number, given)
  const { place, issue } = work
  const before = filesOf(place)
  const operation = operationOf(ground, place)
  const head = ground.git(place, 'rev-parse', 'HEAD')
  const gc = () => ground.git(bystander, 'gc', '--quiet', '--prune=now')
  const differences = (after: Map<string, string>, mayGo: string[] = []) =>
    [...new Set([...before.keys(), ...after.keys()])]
      .filter((file) => before.get(file) !== after.get(file))
      .map((file) => displayName(nameIn(file)))
      .filter((file) => !mayGo.some((name) => file.startsWith(name)))
      .map((file) => `${file} is not as it was`)
  const stays = (error: unknown, named: string[]) => {
    const text = messageOf(error)
    const isNamed = named.length === 0 || named.some((each) => text.includes(each))
    return [...(isNamed ? [] : [`refused without a name: ${text}`]), ...differences(filesOf(place))]
  }
  const destroy = (force: boolean) =>
    destroyIssue(service, issue, { force }).then(
      () => undefined,
      (error: unknown) => error ?? 'failed',
    )
  const warned = service.warnings.length
  const refusal = await destroy(given.force)
  if (work.refused.length > 0) {
    return refusal === undefined ? ['destroyed though it cannot be saved'] : stays(refusal, work.refused)
  }
  const wrong: string[] = []
  if (refusal !== undefined) {
    wrong.push(...stays(refusal, []))
    const forced = given.force ? refusal : await destroy(true)
    if (forced !== undefined) return [...wrong, `not destroyed with --force: ${messageOf(forced)}`]
  }
  if (fs.existsSync(place)) wrong.push('it is still there')
  gc()
  const point = (await listSaved(service)).find(({ name }) => name === issue)
  const leftOut = point === undefined ? [] : (await recoverWork(service, point, {})).leftOut
  if (point === undefined) {
    await ground.issue(number)
    ground.git(place, 'checkout', '--quiet', '--detach', head) // on the remote, under whatever name
  }
  if (work.commits.length > 0) gc()
  const told = [...service.warnings.slice(warned), ...leftOut].join('\n')
  const keptOf = (name: string) => {
    const file = path.join(place, recovered, 'rebase-apply', name)
    return fs.existsSync(file) ? fs.readFileSync(file, 'latin1') : undefined
  }
  const mustBeNamed = [...work.gone, ...(point === undefined ? [] : work.made)]
  const commits = work.commits.filter((commit) => {
    try {
      ground.git(place, 'cat-file', '-e', `${commit}^{commit}`)
      return false
    } catch {
      return true
    }
  })
  return [
    ...wrong,
    ...mustBeNamed.filter((name) => !told.includes(name)).map((name) => `${name} is not named as gone`),
    ...differences(filesOf(place), [...work.gone, ...work.made, recovered]),
    ...[...operation].filter(([name, text]) => text !== keptOf(name)).map(([name]) => `rebase-apply/${name} is gone`),
    ...commits.map((commit) => `the commit ${commit} is gone`),
  ]
}

it(
  `finds all again of ${cases} worktrees`,
  async () => {
    const given = record({
      pieces: uniqueArray(constantFrom(...Object.keys(pieces)), { maxLength: 3 }),
      names: array(
        uint8Array({ minLength: 1, maxLength: 255 }).map((each) =>
          each.map((byte) => (byte === 0 || byte === 0x2f ? 0xe9 : byte)),
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      force: boolean(),
    })
    const all = Object.keys(pieces)
    // Each piece in turn, with others.
    const waiting = sample(given, { numRuns: cases, seed })
      .map((each, index) => ({ ...each, pieces: [...new Set([all[index % all.length] ?? '', ...each.pieces])] }))
      .entries()
    await Promise.all(
      ready.map(async (lane) => {
        for (const [index, each] of waiting) {
          const about = `seed ${seed}, case ${index + 1}: ${each.pieces.join(', ')}${each.force ? ' (--force)' : ''}`
          const wrong = await live(lane, index + 1, each).catch((error: unknown) => [messageOf(error)])
          expect(wrong, about).toEqual([])
        }
      }),
    )
  },
  Math.max(300_000, cases * 20_000),
)
