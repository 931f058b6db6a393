import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loginFor, loginHint } from '../../src/agents/git-login.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
  write('env/dev.env', 'export GITEA_TOKEN="of-dev"\nexport GITHUB_TOKEN="of-github"\n')
  write('env/pm-agent.env', 'export GITEA_TOKEN="of-pm"\n')
  servers({ name: 'work', url: 'https://git.example.com', type: 'gitea' })
})
afterEach(() => home.cleanup())

function write(name: string, text: string): void {
  const file = path.join(home.paths.home, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, text)
}
const servers = (...all: object[]) => write('servers.json', JSON.stringify({ servers: all }))
const password = (address: string, agent: 'dev' | 'pm-agent' = 'dev') => loginFor(home, agent, address)?.password

describe('the login of an address', () => {
  it("is the token of its server, the agent's own", () => {
    expect(loginFor(home, 'dev', 'https://git.example.com')).toEqual({
      username: 'oauth2',
      password: 'of-dev',
      variable: 'GITEA_TOKEN',
    })
    expect(password('https://git.example.com', 'pm-agent')).toBe('of-pm')
    expect(password('https://git.example.com:443')).toBe('of-dev')
    expect(loginFor(home, 'dev', 'https://github.com')).toMatchObject({
      username: 'x-access-token',
      password: 'of-github',
    })
  })

  it.each([
    'http://git.example.com',
    'https://git.example.com:8443',
    'https://git.example.com.evil.test',
    'https://evil.test',
    'https://sub.git.example.com',
    'https://git-example.com',
    'ssh://git.example.com',
    'ftp://git.example.com',
    'https://',
    'nonsense',
  ])('%s has none', (address) => {
    expect(password(address)).toBeUndefined()
  })

  it('is given over plain http to this machine alone', () => {
    servers({ name: 'work', url: 'http://127.0.0.1:3000', type: 'gitea' })
    expect(password('http://127.0.0.1:3000')).toBe('of-dev')
    expect(password('https://127.0.0.1:3000')).toBeUndefined()
    servers({ name: 'work', url: 'http://git.lan:3000', type: 'gitea' })
    expect(password('http://git.lan:3000')).toBeUndefined()
  })

  it('is that of a server named by its ssh address too', () => {
    servers({ name: 'work', url: 'ssh://git@git.example.com:2222', type: 'gitea' })
    expect(password('https://git.example.com')).toBe('of-dev')
    servers({ name: 'work', url: 'git@git.example.com:', type: 'gitea' })
    expect(password('https://git.example.com')).toBe('of-dev')
    expect(password('https://git.example.com:2222')).toBeUndefined()
  })

  it("is the server's own before that of its forge", () => {
    write('env/default.env', 'export WORK_TOKEN="of-work"\n')
    expect(loginFor(home, 'dev', 'https://git.example.com')).toMatchObject({
      password: 'of-work',
      variable: 'WORK_TOKEN',
    })
  })

  it('of a host in repos.json goes by the name of the host', () => {
    write('repos.json', JSON.stringify({ 'x/me/app': 'https://mirror.test/app.git', 'x/me/odd': 5 }))
    expect(password('https://mirror.test')).toBeUndefined()
    write('env/default.env', 'export MIRROR_TEST_TOKEN="of-mirror"\nexport EVIL_TEST_TOKEN="never"\n')
    expect(password('https://mirror.test')).toBe('of-mirror')
    // Nobody named this one: a token that happens to be called so is not for it.
    expect(password('https://evil.test')).toBeUndefined()
  })

  it('is without the blanks around it, and never what git could not be told', () => {
    write('env/dev.env', 'export GITEA_TOKEN=" padded \n"\n')
    expect(password('https://git.example.com')).toBe('padded')
    write('env/dev.env', 'export GITEA_TOKEN="one\npassword=two"\n')
    expect(password('https://git.example.com')).toBeUndefined()
    write('env/dev.env', 'export GITEA_TOKEN=""\nexport FORGEJO_TOKEN="second"\n')
    expect(password('https://git.example.com')).toBe('second')
  })
})

describe('the hint', () => {
  it('names the variable to set, or the one that is set', () => {
    expect(loginHint(home, 'dev', 'https://git.example.com/me/app.git')).toMatch(
      /GITEA_TOKEN valid.*env set GITEA_TOKEN - dev/,
    )
    fs.rmSync(path.join(home.paths.env, 'dev.env'))
    expect(loginHint(home, 'dev', 'https://git.example.com/me/app.git')).toContain(
      '"kugetsu env set GITEA_TOKEN - dev"',
    )
    expect(loginHint(home, 'dev', 'https://github.com/me/app.git')).toContain('"kugetsu env set GITHUB_TOKEN - dev"')
  })

  it('says what else is in the way', () => {
    expect(loginHint(home, 'dev', 'https://new.test/me/app.git')).toContain(
      'kugetsu server add new.test https://new.test',
    )
    expect(loginHint(home, 'dev', 'http://git.lan/me/app.git')).toContain('not safe')
    expect(loginHint(home, 'dev', 'ssh://git@git.example.com/me/app.git')).toBeUndefined()
    expect(loginHint(home, 'dev', 'git@git.example.com:me/app.git')).toBeUndefined()
  })
})
