import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addServer, type GitServer } from '../../src/config/git-servers.ts'
import { isConfidential } from '../../src/forges/api.ts'
import { apiOfServer, apiUrlOf, forgeOf } from '../../src/forges/forge-kinds.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const api = (host: string) => {
  const { forge, apiUrl } = forgeOf(home, { host, owner: 'me', repo: 'app', id: '14' })
  return [forge, apiUrl]
}

describe('the API of an issue', () => {
  it.each([
    ['ssh://git@git.example.com:2222', 'gitea', 'https://git.example.com/api/v1'],
    ['git@git.example.com:', 'gitea', 'https://git.example.com/api/v1'],
    ['git://127.0.0.1:9418', 'gitea', 'https://127.0.0.1/api/v1'],
    ['http://127.0.0.1:3000', 'gitea', 'http://127.0.0.1:3000/api/v1'],
    ['https://example.com:8443/forge/', 'gitea', 'https://example.com:8443/forge/api/v1'],
    ['https://github.com', 'github', 'https://api.github.com'],
    ['ssh://git@ssh.github.com:443', 'github', 'https://api.github.com'],
    ['https://github.example.com', 'github', 'https://github.example.com/api/v3'],
    ['https://octocorp.ghe.com', 'github', 'https://api.octocorp.ghe.com'],
    ['https://gitlab.example.com', 'gitlab', 'https://gitlab.example.com/api/v4'],
  ])('is where the server at %s has it (%s)', async (url, type, expected) => {
    await addServer(home, { name: 'work', url, type })
    expect(api('work')).toEqual([type, expected])
  })

  it('is not known where the server is a directory', async () => {
    await addServer(home, { name: 'work.test', url: 'file:///srv/git', type: 'gitea' })
    expect(api('work.test')).toEqual(['gitea', undefined])
  })

  it('is guessed for an instance that nobody configured', () => {
    expect(api('github.com')).toEqual(['github', 'https://api.github.com'])
    expect(api('gitlab.com')).toEqual(['gitlab', 'https://gitlab.com/api/v4'])
    expect(api('codeberg.org')).toEqual(['gitea', 'https://codeberg.org/api/v1'])
    expect(api('git.example.com')).toEqual(['unknown', undefined])
  })
})

const server = (type: GitServer['type'], url: string, api?: string): GitServer => ({
  name: 'work',
  url,
  type,
  api,
  default: false,
  source: 'servers.json',
})

describe('the API of a server', () => {
  it.each<[GitServer['type'], string, string | undefined]>([
    ['github', 'https://github.com', 'https://api.github.com'],
    ['github', 'ssh://git@github.com', 'https://api.github.com'],
    ['github', 'https://acme.ghe.com', 'https://api.acme.ghe.com'],
    ['github', 'https://github.example.com', 'https://github.example.com/api/v3'],
    ['gitea', 'https://git.example.com', 'https://git.example.com/api/v1'],
    ['gitea', 'https://example.com/gitea', 'https://example.com/gitea/api/v1'],
    ['gitea', 'http://127.0.0.1:3000', 'http://127.0.0.1:3000/api/v1'],
    ['gitea', 'ssh://git@git.example.com:2222', 'https://git.example.com/api/v1'],
    ['gitea', 'git@git.example.com:', 'https://git.example.com/api/v1'],
    ['gitlab', 'git://git.example.com:9418', 'https://git.example.com/api/v4'],
    ['gitlab', 'https://gitlab.com', 'https://gitlab.com/api/v4'],
    ['gitlab', 'file:///srv/git', undefined],
    ['unknown', 'https://git.example.com', undefined],
  ])('of kind %s at %s is %s', (type, url, api) => {
    expect(apiOfServer(server(type, url))).toBe(api)
  })

  it('is what is stored for it, completed where that has no path', () => {
    const url = 'git://127.0.0.1:9418'
    expect(apiOfServer(server('gitea', url, 'http://127.0.0.1:3000/api/v1/'))).toBe('http://127.0.0.1:3000/api/v1')
    expect(apiOfServer(server('gitlab', url, 'http://127.0.0.1:3000'))).toBe('http://127.0.0.1:3000/api/v4')
    expect(apiOfServer(server('github', url, 'https://ghe.test/api/v3'))).toBe('https://ghe.test/api/v3')
    expect(apiOfServer(server('github', url, 'nonsense'))).toBeUndefined()
    expect(apiOfServer(server('github', url, 'file:///etc'))).toBeUndefined()
  })

  it('is told to agents by the host alone where no server is known', () => {
    expect(apiUrlOf('gitea', 'https://git.example.com:8443')).toBe('https://git.example.com:8443/api/v1')
    expect(apiUrlOf('unknown', 'https://git.example.com')).toBeUndefined()
  })
})

describe('a token', () => {
  it.each([
    ['https://git.example.com/api/v1', true],
    ['http://127.0.0.1:3000/api/v1', true],
    ['http://127.1.2.3/', true],
    ['http://localhost:3000/', true],
    ['http://[::1]:3000/', true],
    ['http://git.example.com/api/v1', false],
    ['http://127.0.0.1.example.com/', false],
    ['http://localhost.example.com/', false],
    ['http://192.168.0.1/', false],
  ])('may be sent to %s: %s', (url, allowed) => {
    expect(isConfidential(new URL(url))).toBe(allowed)
  })
})
