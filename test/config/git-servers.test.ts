import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  addServer,
  defaultInstance,
  findServer,
  getServer,
  listServers,
  removeServer,
  type ServerHome,
  setDefaultServer,
} from '../../src/config/git-servers.ts'
import { pathsOf } from '../../src/config/paths.ts'
import { KugetsuError } from '../../src/core/errors.ts'

let home: ServerHome & { paths: ReturnType<typeof pathsOf> }
beforeEach(() => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kugetsu-servers-'))
  home = {
    paths: pathsOf(directory),
    settings: () => ({ defaultGitServer: 'github.com' }),
    env: {},
    now: () => new Date('2026-05-01T00:00:00Z'),
  }
})
afterEach(() => fs.rmSync(home.paths.home, { recursive: true, force: true }))

const stored = () => JSON.parse(fs.readFileSync(home.paths.servers, 'utf8'))
const store = (value: unknown) => fs.writeFileSync(home.paths.servers, JSON.stringify(value))
const names = () => listServers(home).map((server) => server.name)

async function errorOf(work: () => unknown): Promise<KugetsuError> {
  try {
    await work()
  } catch (error) {
    if (error instanceof KugetsuError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('the git servers', () => {
  it('are github.com to begin with', () => {
    expect(listServers(home)).toEqual([
      { name: 'github.com', url: 'https://github.com', type: 'github', default: true, source: 'built-in' },
    ])
    expect(defaultInstance(home)).toBe('github.com')
    expect(fs.existsSync(home.paths.servers)).toBe(false)
  })

  it('can be added, found and removed', async () => {
    await addServer(home, { name: 'forge.test', url: 'git://127.0.0.1:9418/', type: 'forgejo' })
    expect(getServer(home, 'forge.test')).toMatchObject({ url: 'git://127.0.0.1:9418', type: 'gitea', default: false })
    expect(names()).toEqual(['forge.test', 'github.com'])
    expect(stored()).toEqual({ servers: [{ name: 'forge.test', url: 'git://127.0.0.1:9418', type: 'gitea' }] })
    await removeServer(home, 'FORGE.test')
    expect(names()).toEqual(['github.com'])
    expect((await errorOf(() => removeServer(home, 'forge.test'))).code).toBe('unknown_server')
  })

  it('are private to the user', async () => {
    await addServer(home, { name: 'work', url: 'https://work.test' })
    expect(fs.statSync(home.paths.servers).mode & 0o777).toBe(0o600)
  })

  it('all arrive when several are added at once', async () => {
    const wanted = Array.from({ length: 8 }, (_, index) => `forge${index}`)
    await Promise.all(wanted.map((name) => addServer(home, { name, url: `https://${name}.test` })))
    expect(names().sort()).toEqual([...wanted, 'github.com'].sort())
  })

  it('are not replaced by accident', async () => {
    await addServer(home, { name: 'work', url: 'https://work.test' })
    expect((await errorOf(() => addServer(home, { name: 'Work', url: 'https://other.test' }))).code).toBe(
      'server_exists',
    )
    expect(await addServer(home, { name: 'work', url: 'https://work.test', type: 'gitlab' })).toMatchObject({
      type: 'gitlab',
    })
    expect(stored().servers).toHaveLength(1)
  })

  it('keep what kugetsu does not know about them', async () => {
    const one = { name: 'work', url: 'https://work.test', note: 'ours' }
    store({ servers: [one], format: 7 })
    await addServer(home, { name: 'more', url: 'https://more.test' })
    expect(stored()).toEqual({ servers: [one, { name: 'more', url: 'https://more.test' }], format: 7 })
    expect(getServer(home, 'work')).toMatchObject({ note: 'ours' })
  })

  it('include those of the config file, which servers.json outranks', async () => {
    fs.writeFileSync(
      home.paths.config,
      'declare -A GIT_SERVERS=(\n["old.test"]="https://old.test"\n["work"]="https://old-work.test" )',
    )
    await addServer(home, { name: 'work', url: 'https://new-work.test' })
    expect(listServers(home).map(({ name, url, source }) => [name, url, source])).toEqual([
      ['work', 'https://new-work.test', 'servers.json'],
      ['old.test', 'https://old.test', 'config'],
      ['github.com', 'https://github.com', 'built-in'],
    ])
    const error = await errorOf(() => removeServer(home, 'old.test'))
    expect(error.code).toBe('not_removable')
    expect(error.hint).toContain(home.paths.config)
    expect((await errorOf(() => removeServer(home, 'github.com'))).code).toBe('not_removable')
  })

  it('have an API of their own where one is given, http or https and without a password', async () => {
    const add = (api: string) => addServer(home, { name: 'work', url: 'ssh://git@work.test:2222', api })
    expect(await add('https://work.test:8443/api/v1/')).toMatchObject({ api: 'https://work.test:8443/api/v1' })
    expect(await add('http://127.0.0.1:3000')).toMatchObject({ api: 'http://127.0.0.1:3000' })
    expect(stored().servers).toEqual([{ name: 'work', url: 'ssh://git@work.test:2222', api: 'http://127.0.0.1:3000' }])
    for (const bad of [
      '',
      'nonsense',
      'ssh://work.test/api',
      'https://me:secret@work.test',
      'https://work.test?token=x',
    ]) {
      const error = await errorOf(() => add(bad))
      expect(error.code).toBe('bad_url')
      expect(error.message).not.toContain('secret')
    }
    expect(getServer(home, 'work').api).toBe('http://127.0.0.1:3000')
  })

  it('have one default: the stored one, else the configured one', async () => {
    home.settings = () => ({ defaultGitServer: 'forge.test' })
    await addServer(home, { name: 'work', url: 'http://forge.test:3000' })
    expect(defaultInstance(home)).toBe('forge.test')
    expect(getServer(home, 'work').default).toBe(true)
    expect((await setDefaultServer(home, 'GitHub.com')).default).toBe(true)
    expect(defaultInstance(home)).toBe('github.com')
    expect(listServers(home).filter((server) => server.default)).toHaveLength(1)
    expect((await errorOf(() => setDefaultServer(home, 'nowhere'))).code).toBe('unknown_server')
    expect(stored().default).toBe('github.com')
  })

  it('lose the default with its server', async () => {
    await addServer(home, { name: 'work', url: 'https://work.test' })
    await setDefaultServer(home, 'work')
    expect((await removeServer(home, 'work')).default).toBe(true)
    expect(defaultInstance(home)).toBe('github.com')
  })

  it.each([
    ['https://github.com', 'github'],
    ['https://github.example.org', 'github'],
    ['git@gitlab.com:', 'gitlab'],
    ['https://codeberg.org', 'gitea'],
    ['ssh://git@gitea.example.org:2222', 'gitea'],
    ['https://notgithub.org', 'unknown'],
    ['https://git.example.org/gitlab', 'unknown'],
  ])('at %s speak %s', async (url, type) => {
    expect((await addServer(home, { name: 'some', url })).type).toBe(type)
  })

  it.each(['', '-x', '--help', 'a/b', 'a b', '..', '.', 'a:1', 'ä', 'x\n'])('cannot be called %j', async (name) => {
    expect((await errorOf(() => addServer(home, { name, url: 'https://x.test' }))).code).toBe('bad_server')
  })

  it('are of a known type', async () => {
    const error = await errorOf(() => addServer(home, { name: 'x', url: 'https://x.test', type: 'svn' }))
    expect(error.code).toBe('bad_server')
    expect(error.hint).toContain('gitlab')
  })

  it('refuse a URL that holds a password, without repeating it', async () => {
    const error = await errorOf(() => addServer(home, { name: 'x', url: 'https://mika:hunter2@x.test' }))
    expect(error.code).toBe('bad_url')
    expect(`${error.message} ${error.hint}`).not.toContain('hunter2')
    expect(fs.existsSync(home.paths.servers)).toBe(false)
  })
})

describe('a servers.json that cannot be understood', () => {
  it.each(['{"servers": [', '[]', '"x"', '{"servers": [{"name": 1}]}', '{"default": 3}', '\u0000\u0000'])(
    'is set aside and named, its bytes kept: %j',
    async (text) => {
      fs.writeFileSync(home.paths.servers, text)
      const error = await errorOf(() => addServer(home, { name: 'work', url: 'https://work.test' }))
      expect(error.code).toBe('unreadable')
      expect(error.message).toContain(home.paths.servers)
      const [aside, ...others] = fs.readdirSync(home.paths.home).filter((name) => name.startsWith('servers.json.'))
      expect(others).toEqual([])
      expect(error.hint).toContain(aside)
      expect(fs.readFileSync(path.join(home.paths.home, aside ?? ''), 'utf8')).toBe(text)
      await addServer(home, { name: 'work', url: 'https://work.test' })
      expect(names()).toContain('work')
    },
  )

  it('is not quoted, for it can hold a password', async () => {
    fs.writeFileSync(home.paths.servers, 'hunter2')
    const error = await errorOf(() => listServers(home))
    expect(`${error.message} ${error.hint}`).not.toContain('hunter2')
  })

  it('counts as none when it is empty', () => {
    fs.writeFileSync(home.paths.servers, '\n')
    expect(names()).toEqual(['github.com'])
  })
})

describe('findServer', () => {
  it('goes by name, then by host and port, then by host', () => {
    store({
      servers: [
        { name: 'one', url: 'http://forge.test:3000' },
        { name: 'two', url: 'ssh://git@forge.test:2222' },
        { name: 'three', url: 'git@scp.test:' },
        { name: 'scp.test', url: 'https://named.test' },
        { name: 'disk', url: 'file:///srv/git' },
      ],
    })
    const found = (instance: string) => findServer(instance, listServers(home))?.name
    expect(found('ONE')).toBe('one')
    expect(found('forge.test:3000')).toBe('one')
    expect(found('forge.test:2222')).toBe('two')
    expect(found('forge.test')).toBe('one')
    expect(found('forge.test:1')).toBeUndefined()
    expect(found('scp.test')).toBe('scp.test')
    expect(found('disk')).toBe('disk')
    expect(found('GitHub.com')).toBe('github.com')
    expect(found('nowhere.test')).toBeUndefined()
  })
})
