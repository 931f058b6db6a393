import { describe, expect, it } from 'vitest'
import type { GitServer } from '../../src/config/git-servers.ts'
import { KugetsuError } from '../../src/core/errors.ts'
import { readPullRequestUrl } from '../../src/forges/pull-request-url.ts'

const server = (type: GitServer['type'], url: string, api?: string): GitServer => ({
  name: 'work',
  url,
  type,
  api,
  default: false,
  source: 'servers.json',
})
const repository = { host: 'work', owner: 'me', repo: 'app' }
const read = (text: string, at: GitServer | undefined, of = repository) => readPullRequestUrl(text, of, at)

describe('the URL of a pull request', () => {
  it.each<[GitServer['type'], string]>([
    ['github', 'https://git.test/me/app/pull/15'],
    ['gitea', 'https://git.test/me/app/pulls/15'],
    ['gitlab', 'https://git.test/me/app/-/merge_requests/15'],
  ])('of %s is known in all the forms it is copied in', (type, url) => {
    const at = server(type, 'https://git.test')
    const page = { number: 15, url, elsewhere: false }
    expect(read(url, at)).toEqual(page)
    for (const more of ['/', '/files', '/commits/0123', '?w=1', '#issuecomment-3', '/files?w=1#x']) {
      expect(read(`${url}${more}`, at)).toEqual(page)
    }
  })

  it('may write owner and repository in other letters', () => {
    expect(read('https://GIT.test/Me/App/pulls/15', server('gitea', 'https://git.test'))).toMatchObject({
      number: 15,
      elsewhere: false,
    })
  })

  it('is that of the kind of the server; any where that is not known', () => {
    const urls = ['pull/15', 'pulls/15', '-/merge_requests/15'].map((page) => `https://work/me/app/${page}`)
    expect(urls.map((url) => read(url, server('unknown', 'https://git.test')).number)).toEqual([15, 15, 15])
    expect(urls.map((url) => read(url, undefined).number)).toEqual([15, 15, 15])
    expect(() => read('https://git.test/me/app/pulls/15', server('github', 'https://git.test'))).toThrow(KugetsuError)
    expect(() => read('https://git.test/me/app/pull/15', server('gitlab', 'https://git.test'))).toThrow(KugetsuError)
  })

  it('is in a subgroup, or under a path', () => {
    const group = { host: 'work', owner: 'group/sub', repo: 'app' }
    const url = 'https://git.test/group/sub/app/-/merge_requests/15'
    expect(read(url, server('gitlab', 'https://git.test'), group).number).toBe(15)
    expect(() => read(url, server('gitlab', 'https://git.test'), { ...group, owner: 'sub' })).toThrow(KugetsuError)
    const under = server('gitea', 'https://example.com/gitea')
    expect(read('https://example.com/gitea/me/app/pulls/15', under)).toEqual({
      number: 15,
      url: 'https://example.com/gitea/me/app/pulls/15',
      elsewhere: false,
    })
  })

  it('may be on the host of the name, the URL or the API, and is elsewhere on any other', () => {
    const at = server('gitea', 'ssh://git@git.test:2222', 'http://127.0.0.1:3000/api/v1')
    const elsewhere = (host: string) => read(`https://${host}/me/app/pulls/15`, at).elsewhere
    expect(['work', 'git.test', '127.0.0.1:3000'].map(elsewhere)).toEqual([false, false, false])
    expect(elsewhere('evil.test')).toBe(true)
    const github = server('github', 'https://github.com')
    expect(read('https://github.com/me/app/pull/15', github).elsewhere).toBe(false)
  })

  it.each([
    '',
    'nonsense',
    'https://git.test/me/app',
    'https://git.test/me/app/issues/15',
    'https://git.test/me/app/pulls',
    'https://git.test/me/app/pulls/0',
    'https://git.test/me/app/pulls/99999999999999999999',
    'https://git.test/me/app/pulls/15x',
    'https://git.test/me/other/pulls/15',
    'https://git.test/me/app2/pulls/15',
    'https://git.test/x/me/app/pulls/15',
    'https://git.test/me/app/../../you/app/pulls/15',
    'https://user:secret@git.test/me/app/pulls/15',
    'ftp://git.test/me/app/pulls/15',
    'file:///me/app/pulls/15',
    'https://git.test/me/app/pulls/15\u001b[2J',
    'https://git.test/me/app/pulls/15 --force',
    `https://git.test/me/app/pulls/15?${'x'.repeat(2000)}`,
  ])('is not %j', (text) => {
    const reading = () => read(text, server('gitea', 'https://git.test'))
    expect(reading).toThrow(expect.objectContaining({ code: 'bad_pr_url' }))
    expect(reading).toThrow(expect.objectContaining({ hint: 'It looks like https://work/me/app/pulls/15.' }))
    expect(reading).not.toThrow(/secret@/)
  })
})
