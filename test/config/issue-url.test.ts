import { describe, expect, it } from 'vitest'
import type { GitServer } from '../../src/config/git-servers.ts'
import { isSameRemote, issueOfCloneUrl, issueOfPage, serverUrlOf } from '../../src/config/issue-url.ts'
import { cloneUrl } from '../../src/config/repositories.ts'
import { formatRef, parseRef } from '../../src/core/issue-ref.ts'

const server = (name: string, url: string): GitServer => {
  return { name, url, type: 'unknown', default: false, source: 'servers.json' }
}
const known = {
  servers: [
    server('work', 'https://git.example.com'),
    server('gateway:2201', 'ssh://git@gateway:2201'),
    server('disk', 'file:///srv/git'),
    server('github.com', 'https://github.com'),
  ],
  repositories: new Map([['old/me/app', 'ssh://git@old.example.com/x/y.git']]),
}
const refOf = (text: string) => {
  const at = issueOfCloneUrl(text, known)
  return at && formatRef(at.ref)
}

describe('<clone URL>#<id>', () => {
  it.each([
    ['https://forge.test/me/app.git#14', 'forge.test/me/app#14'],
    ['https://forge.test/me/app#14', 'forge.test/me/app#14'],
    ['https://forge.test/me/app/#14', 'forge.test/me/app#14'],
    ['https://forge.test:443/me/app.git#14', 'forge.test/me/app#14'],
    ['https://forge.test:8443/group/sub/app.git#14', 'forge.test:8443/group/sub/app#14'],
    ['http://127.0.0.1:3000/me/app.git#-word', '127.0.0.1:3000/me/app#-word'],
    ['ssh://git@forge.test/me/app.git#14', 'forge.test/me/app#14'],
    ['ssh://git@forge.test:2222/me/app.git#14', 'forge.test:2222/me/app#14'],
    ['git@forge.test:me/app.git#014', 'forge.test/me/app#14'],
    ['git@forge.test:/srv/me/app.git#14', 'forge.test/srv/me/app#14'],
    ['git://forge.test:9418/me/app.git#14', 'forge.test:9418/me/app#14'],
    ['file:///home/me/src/app#14', 'local/src/app#14'],
    ['HTTPS://Forge.Test/me/app.git#14', 'forge.test/me/app#14'],
  ])('%s is %s', (text, ref) => expect(refOf(text)).toBe(ref))

  it.each([
    ['https://git.example.com/me/app.git#14', 'work/me/app#14'],
    ['git@git.example.com:me/app.git#14', 'work/me/app#14'],
    ['ssh://git@git.example.com:2222/me/app.git#14', 'work/me/app#14'],
    ['ssh://git@gateway:2201/me/app.git#14', 'gateway:2201/me/app#14'],
    // Two machines behind one name.
    ['ssh://git@gateway:2202/me/app.git#14', 'gateway:2202/me/app#14'],
    ['https://git.example.com:8443/me/app.git#14', 'git.example.com:8443/me/app#14'],
    ['file:///srv/git/me/app.git#14', 'disk/me/app#14'],
    ['ssh://git@old.example.com/x/y.git#14', 'old/me/app#14'],
    ['git@github.com:me/app.git#14', 'github.com/me/app#14'],
  ])('%s is %s, by what is known', (text, ref) => expect(refOf(text)).toBe(ref))

  it.each([
    'github.com/me/app#14',
    'forge.test:8443/me/app#14',
    'app#14',
    '#14',
    'https://forge.test/me/app/issues/14#issuecomment-3',
    'https://gitlab.test/group/sub/app/-/issues/14#note_1',
    'https://forge.test/me/app',
    'git@forge.test:me/app.git',
    'ext::sh -c x#14',
  ])('%s is of another form', (text) => expect(refOf(text)).toBeUndefined())

  it.each([
    ['https://me:secret@forge.test/me/app.git#14', 'bad_url'],
    ['ftp://forge.test/me/app.git#14', 'bad_url'],
    ['ssh://-oProxyCommand=x/me/app.git#14', 'bad_url'],
    ['git@forge.test:-x/app.git#14', 'bad_url'],
    ['https://forge.test/../app.git#14', 'bad_url'],
    ['https://forge.test/me/app.git?x=1#14', 'bad_url'],
    ['https://forge.test/app.git#14', 'bad_ref'],
    ['git@forge.test:app.git#14', 'bad_ref'],
    ['file:///app.git#14', 'bad_ref'],
    ['https://forge.test/me/app.git#', 'bad_ref'],
    ['https://forge.test/me/app#readme', 'bad_ref'],
    ['https://forge.test/~me/app.git#14', 'bad_ref'],
  ])('%s is refused', (text, code) => {
    const refused = (() => {
      try {
        return refOf(text)
      } catch (error) {
        return error
      }
    })()
    expect(refused).toMatchObject({ code })
    expect(String(refused)).not.toContain('secret')
  })

  it('leads to a server from which the repository is cloned by that URL', () => {
    for (const url of [
      'https://forge.test:8443/group/sub/app.git',
      'ssh://git@forge.test:2222/me/app.git',
      'git@forge.test:me/app.git',
      'git://forge.test/me/app.git',
    ]) {
      const { ref } = issueOfCloneUrl(`${url}#14`, known)!
      const found = server(ref.host, serverUrlOf(url)!)
      expect(cloneUrl(ref, { servers: [found], repositories: new Map() })).toBe(url)
    }
    expect(serverUrlOf('file:///srv/git/me/app.git')).toBeUndefined()
  })

  it('counts as the same without .git only where a forge is known', () => {
    const [one, other] = ['https://forge.test/me/app', 'https://forge.test/me/app.git']
    expect(isSameRemote(one, other, 'gitea')).toBe(true)
    expect(isSameRemote(one, other, 'unknown')).toBe(false)
    expect(isSameRemote(one, other, undefined)).toBe(false)
  })
})

describe('the page of an issue', () => {
  const page = (text: string, tracked: string[] = []) => {
    const { ref, url } = issueOfPage(text, parseRef(text, { defaultHost: '' }), { ...known, tracked })
    return [formatRef(ref), url]
  }

  it('is of the server with that host, unless it is tracked by its host', () => {
    const text = 'https://git.example.com/me/app/issues/14'
    expect(page(text)).toEqual(['work/me/app#14', undefined])
    expect(page(text, ['git.example.com/me/app#14'])).toEqual(['git.example.com/me/app#14', undefined])
  })

  it('tells where to clone from when no server is known', () => {
    expect(page('https://forge.test/me/app/pulls/14')).toEqual([
      'forge.test/me/app#14',
      'https://forge.test/me/app.git',
    ])
    expect(page('http://127.0.0.1:3000/me/app/issues/14')).toEqual([
      '127.0.0.1:3000/me/app#14',
      'http://127.0.0.1:3000/me/app.git',
    ])
  })
})
