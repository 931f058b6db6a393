import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { forgeOf } from '../../src/config/clone-url.ts'
import { addServer } from '../../src/config/git-servers.ts'
import { apiUrlOf } from '../../src/forges/forge-kinds.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const api = (host: string) => {
  const { forge, webUrl } = forgeOf(home, { host, owner: 'me', repo: 'app', id: '14' })
  return [forge, apiUrlOf(forge, webUrl)]
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

  it('is on the instance where the server is a directory', async () => {
    await addServer(home, { name: 'work.test', url: 'file:///srv/git', type: 'gitea' })
    expect(api('work.test')).toEqual(['gitea', 'https://work.test/api/v1'])
  })

  it('is guessed for an instance that nobody configured', () => {
    expect(api('github.com')).toEqual(['github', 'https://api.github.com'])
    expect(api('gitlab.com')).toEqual(['gitlab', 'https://gitlab.com/api/v4'])
    expect(api('codeberg.org')).toEqual(['gitea', 'https://codeberg.org/api/v1'])
    expect(api('git.example.com')).toEqual(['unknown', undefined])
  })
})
