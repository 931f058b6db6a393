import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GitServer } from '../../src/config/git-servers.ts'
import { checkRemoteUrl } from '../../src/config/remote-url.ts'
import { cloneUrl, readRepositories } from '../../src/config/repositories.ts'
import { KugetsuError } from '../../src/core/errors.ts'
import { parseRef } from '../../src/core/issue-ref.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kugetsu-repositories-'))
  file = path.join(directory, 'repos.json')
})
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

const now = new Date('2026-05-01T00:00:00Z')
const server = (name: string, url: string): GitServer => ({
  name,
  url,
  type: 'unknown',
  default: false,
  source: 'servers.json',
})
const servers = [
  server('github.com', 'https://github.com'),
  server('forge.test', 'git://127.0.0.1:9418'),
  server('sub', 'https://sub.test/git/'),
  server('scp', 'git@scp.test:'),
  server('scpath', 'git@scp.test:teams'),
  server('bad', 'ext::sh -c id'),
]

function urlOf(text: string, repositories: Record<string, unknown> = {}): string {
  fs.writeFileSync(file, JSON.stringify(repositories))
  return cloneUrl(parseRef(text, { defaultHost: 'github.com' }), { servers, repositories: readRepositories(file, now) })
}

function errorOf(work: () => unknown): KugetsuError {
  try {
    work()
  } catch (error) {
    if (error instanceof KugetsuError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('cloneUrl', () => {
  it.each([
    ['github.com/shoko/kugetsu#14', 'https://github.com/shoko/kugetsu.git'],
    ['forge.test/shoko/kugetsu#14', 'git://127.0.0.1:9418/shoko/kugetsu.git'],
    ['127.0.0.1:9418/shoko/kugetsu#14', 'git://127.0.0.1:9418/shoko/kugetsu.git'],
    ['sub/shoko/kugetsu#14', 'https://sub.test/git/shoko/kugetsu.git'],
    ['scp/shoko/kugetsu#14', 'git@scp.test:shoko/kugetsu.git'],
    ['scpath/shoko/kugetsu#14', 'git@scp.test:teams/shoko/kugetsu.git'],
    ['nowhere.test/group/sub/project#-discuss', 'https://nowhere.test/group/sub/project.git'],
    ['nowhere.test:8443/a/b#1', 'https://nowhere.test:8443/a/b.git'],
  ])('of %s is %s', (text, url) => {
    expect(urlOf(text)).toBe(url)
  })

  it('is what repos.json says of the issue, else of the repository', () => {
    const repositories = {
      'GitHub.com/shoko/kugetsu': 'https://mirror.test/kugetsu.git',
      'github.com/shoko/kugetsu#14': 'file:///srv/git/fourteen.git',
      'github.com/broken': 42,
    }
    expect(urlOf('github.com/shoko/kugetsu#14', repositories)).toBe('file:///srv/git/fourteen.git')
    expect(urlOf('github.com/shoko/kugetsu#15', repositories)).toBe('https://mirror.test/kugetsu.git')
    expect(urlOf('github.com/shoko/other#14', repositories)).toBe('https://github.com/shoko/other.git')
  })

  it('is never something that git should not be given', () => {
    expect(errorOf(() => urlOf('github.com/a/b#1', { 'github.com/a/b': 'ext::sh -c id' })).code).toBe('bad_url')
    expect(errorOf(() => urlOf('github.com/a/b#1', { 'github.com/a/b': 3 })).code).toBe('bad_url')
    expect(errorOf(() => urlOf('bad/a/b#1')).code).toBe('bad_url')
  })
})

describe('repos.json', () => {
  it('need not exist', () => {
    expect(readRepositories(file, now).size).toBe(0)
  })

  it.each(['{', '[1]', '"x"'])('is set aside and named when it is %j', (text) => {
    fs.writeFileSync(file, text)
    const error = errorOf(() => readRepositories(file, now))
    expect(error.code).toBe('unreadable')
    expect(error.message).toContain(file)
    const [aside = ''] = fs.readdirSync(directory)
    expect(fs.readFileSync(path.join(directory, aside), 'utf8')).toBe(text)
    expect(readRepositories(file, now).size).toBe(0)
  })
})

describe('checkRemoteUrl', () => {
  it.each([
    'https://github.com',
    'http://127.0.0.1:3000/base',
    'ssh://git@forge.test:2222/srv',
    'git://127.0.0.1:9418',
    'file:///srv/git',
    'git@forge.test:',
    'git@forge.test:team/repo.git',
    'https://[::1]:3000/x',
  ])('lets %s through', (url) => {
    expect(checkRemoteUrl(url, 'it')).toBe(url)
  })

  it.each([
    '',
    '-x',
    '--upload-pack=id',
    'ext::sh -c id',
    'ext::sh%20-c%20id',
    'fd::3',
    'https::https://x',
    'ftp://x.test',
    'javascript://x',
    'data:text/plain,x',
    '/srv/git',
    '../git',
    'C:\\git',
    'x.test:path',
    'https://',
    'https:/x.test',
    'https:///x.test',
    'file://x.test/srv',
    'https://user:secret@x.test',
    'https://token@x.test',
    'https://:secret@x.test',
    'ssh://git:secret@x.test',
    'ssh://-oProxyCommand=id/x',
    'ssh://-oProxyCommand=id@x.test/x',
    '-oProxyCommand=id@x.test:y',
    'git@-x.test:y',
    'git@x.test:-y',
    'https://x.test/a b',
    'https://x.test/a\nb',
    'https://x.test/`id`',
    'https://x.test/a\\b',
    'https://x.test/../a',
    'https://x.test/%2e%2e/a',
    'git@x.test:../a',
    'https://x.test?a=b',
    'https://x.test#a',
    `https://x.test/${'a'.repeat(2000)}`,
  ])('refuses %j', (url) => {
    const error = errorOf(() => checkRemoteUrl(url, 'the URL'))
    expect(error.code).toBe('bad_url')
    expect(error.message).toMatch(/^the URL [^\n]+$/)
    expect(error.message).not.toContain('secret')
  })
})
