import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readMirrorConfig } from '../../src/git/mirror-config.ts'
import { openMirror } from '../../src/worktrees/mirror/mirror.ts'
import { createGround, type Ground } from '../helpers/git-repository.ts'

let ground: Ground
beforeEach(async () => {
  ground = createGround({ 'a.txt': 'one\n' })
  await openMirror(ground.repository, { url: ground.url })
})
afterEach(() => ground.cleanup())

const git = (...args: string[]) => ground.git(ground.mirror, ...args)
const file = () => path.join(ground.mirror, 'config')
const add = (text: string) => fs.appendFileSync(file(), text)
/** What git itself says of the file. */
const asked = () =>
  git('config', '--file', file(), '--list', '-z')
    .split('\0')
    .filter((setting) => setting !== '')
    .map((setting) => [setting.slice(0, setting.indexOf('\n')), setting.slice(setting.indexOf('\n') + 1)] as const)

describe('readMirrorConfig', () => {
  it.each([
    ['of a mirror', () => {}],
    [
      'with what git and tools add to it',
      () => {
        git('config', 'branch.fix/issue-14.merge', 'refs/heads/fix/issue-14')
        git('config', 'Lfs.https://Example.com/Some.git/info/lfs.LocksVerify', 'true')
        git('config', '--add', 'remote.origin.fetch', '+refs/pull/*:refs/pull/*')
        git('config', 'core.hooksPath', '.husky/_')
        git('config', 'user.email', 'a.b+c@example.com')
      },
    ],
    [
      'with comments and settings of the same name',
      () => add('# one\n[core]\n; two\n\n\tEditor = vi\n\teditor = ed  \n'),
    ],
  ])('says what git says %s', (_, change) => {
    change()
    expect(readMirrorConfig(ground.mirror)).toEqual(new Map(asked()))
  })

  it.each([
    ['a value in quotes', '[user]\n\tname = "a b"\n'],
    ['a value over two lines', '[user]\n\tname = a\\\nb\n'],
    ['a comment behind a value', '[user]\n\tname = a # b\n'],
    ['a setting without a value', '[core]\n\tbare\n'],
    ['a setting beside its section', '[core] bare = false\n'],
    ['the old way to write a section', '[remote.origin]\n\turl = x\n'],
    ['another file that is included', '[include]\n\tpath = other\n'],
    ['one that is sometimes included', '[includeIf "gitdir:/"]\n\tpath = other\n'],
    ['line ends of another system', '[core]\r\n\tbare = false\r\n'],
    ['something else', 'what is that\n'],
  ])('leaves it to git where it finds %s', (_, text) => {
    add(text)
    expect(readMirrorConfig(ground.mirror)).toBeUndefined()
  })

  it('leaves it to git where there is no file, or none that can be read', () => {
    fs.rmSync(file())
    expect(readMirrorConfig(ground.mirror)).toBeUndefined()
    fs.mkdirSync(file())
    expect(readMirrorConfig(ground.mirror)).toBeUndefined()
  })
})
