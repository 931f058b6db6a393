import { expect, it } from 'vitest'
import { repositoryOfRemote } from '../../src/config/repository-of-remote.ts'

const servers = [
  { name: 'work', url: 'https://git.example.com:3000/forge' },
  { name: 'lab', url: 'https://lab.example.com' },
  { name: 'disk', url: 'file:///srv/git' },
  { name: 'mine', url: 'git@mine.test:' },
  { name: 'github.com', url: 'https://github.com' },
]
const repositories = new Map<string, unknown>([
  ['odd/me/app', 'ssh://elsewhere.test/x/y.git'],
  ['odd/me/app#14', 'https://lab.example.com/other/app.git'],
  ['odd/me/one', 'https://twice.test/a/b.git'],
  ['odd/me/two', 'https://twice.test/a/b'],
])
const told = (url: string) => {
  const found = repositoryOfRemote(url, { servers, repositories })
  return found && `${found.host}/${found.owner}/${found.repo}`
}

it.each([
  ['https://github.com/me/app.git\n', 'github.com/me/app'],
  ['https://secret@github.com/me/app/', 'github.com/me/app'],
  ['git@github.com:me/app.git', 'github.com/me/app'],
  ['https://lab.example.com/group/sub/app.git', 'lab/group/sub/app'],
  ['ssh://git@lab.example.com:2222/group/sub/app.git', 'lab/group/sub/app'],
  ['https://git.example.com:3000/forge/me/app.git', 'work/me/app'],
  ['https://unknown.test:8443/me/app.git', 'unknown.test:8443/me/app'],
  ['git@mine.test:me/app', 'mine/me/app'],
  ['/srv/git/me/app.git', 'disk/me/app'],
  ['file:///srv/git/me/app.git', 'disk/me/app'],
  ['ssh://elsewhere.test/x/y', 'odd/me/app'],
  ['https://lab.example.com/other/app.git', 'lab/other/app'],
])('%s is %s', (url, repository) => {
  expect(told(url)).toBe(repository)
})

it.each([
  '/home/me/app',
  '../app',
  'file:///elsewhere/me/app.git',
  'https://github.com/app',
  'https://twice.test/a/b',
  '',
])('which %j is cannot be told', (url) => {
  expect(told(url)).toBeUndefined()
})
