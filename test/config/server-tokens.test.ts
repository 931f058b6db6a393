import { describe, expect, it } from 'vitest'
import type { ForgeType } from '../../src/config/forge-types.ts'
import { loginName, tokenVariables } from '../../src/config/server-tokens.ts'

const server = (name: string, url: string, type: ForgeType, more: { default?: boolean } = {}) => {
  return { name, url, type, default: false, ...more }
}
const github = server('github.com', 'https://github.com', 'github', { default: true })
const work = server('work', 'https://git.example.com', 'gitea')
const lab = server('lab', 'git@lab.test:', 'gitlab')

describe('the variables of a server', () => {
  it.each([
    [github, [github], ['GITHUB_COM_TOKEN', 'GITHUB_TOKEN', 'GH_TOKEN']],
    [work, [github, work], ['WORK_TOKEN', 'GITEA_TOKEN', 'FORGEJO_TOKEN']],
    [lab, [github, work, lab], ['LAB_TOKEN', 'GITLAB_TOKEN']],
    [server('3d.test', 'https://3d.test', 'unknown'), [github], ['_3D_TEST_TOKEN']],
    [server('127.0.0.1:3000', 'http://127.0.0.1:3000', 'unknown'), [github], ['_127_0_0_1_3000_TOKEN']],
  ])('of %o', (one, servers, names) => {
    expect(tokenVariables(one, servers)).toEqual(names)
  })

  it("are a forge's for one host of it alone: the default one, else the public one, else none", () => {
    const enterprise = server('corp', 'https://github.example.com', 'github')
    expect(tokenVariables(enterprise, [enterprise, github])).toEqual(['CORP_TOKEN'])
    expect(tokenVariables(github, [enterprise, github])).toContain('GITHUB_TOKEN')

    const preferred = { ...enterprise, default: true }
    const other = { ...github, default: false }
    expect(tokenVariables(preferred, [other, preferred])).toEqual(['CORP_TOKEN', 'GITHUB_TOKEN', 'GH_TOKEN'])
    expect(tokenVariables(other, [other, preferred])).toEqual(['GITHUB_COM_TOKEN'])

    const second = server('home', 'https://git.home.test', 'gitea')
    expect(tokenVariables(work, [work, second])).toEqual(['WORK_TOKEN'])
    expect(tokenVariables(second, [work, second])).toEqual(['HOME_TOKEN'])
    const ofOnePort = server('two', 'https://git.example.com:8443', 'gitea')
    expect(tokenVariables(work, [work, ofOnePort])).toEqual(['WORK_TOKEN'])
  })

  it('are shared by the addresses of one host', () => {
    const bySsh = server('work-ssh', 'ssh://git@git.example.com:2222', 'gitea')
    expect(tokenVariables(bySsh, [work, bySsh])).toEqual(['WORK_SSH_TOKEN', 'GITEA_TOKEN', 'FORGEJO_TOKEN'])
    expect(tokenVariables(work, [work, bySsh])).toContain('GITEA_TOKEN')
  })

  it("are not a forge's for a server that only a URL has named, and stay with the one that was added", () => {
    const found = { ...server('evil.test', 'https://evil.test', 'gitea'), found: true }
    expect(tokenVariables(found, [github, found])).toEqual(['EVIL_TEST_TOKEN'])
    expect(tokenVariables(found, [github, work, found])).toEqual(['EVIL_TEST_TOKEN'])
    expect(tokenVariables(work, [github, work, found])).toEqual(['WORK_TOKEN', 'GITEA_TOKEN', 'FORGEJO_TOKEN'])
    const same = { ...server('git.example.com', 'ssh://git@git.example.com:2222', 'gitea'), found: true }
    expect(tokenVariables(same, [work, same])).toEqual(['GIT_EXAMPLE_COM_TOKEN', 'GITEA_TOKEN', 'FORGEJO_TOKEN'])
  })

  it('never stand for two hosts, whatever those are called', () => {
    const one = server('git.example.com', 'https://git.example.com', 'unknown')
    const lookalike = server('git-example.com', 'https://git-example.com', 'unknown')
    expect(tokenVariables(one, [one, lookalike])).toEqual(['GIT_EXAMPLE_COM_TOKEN'])
    expect(tokenVariables(lookalike, [one, lookalike])).toEqual([])
    // Everybody has a token of github.com in this one.
    const called = server('github', 'https://elsewhere.test', 'unknown')
    expect(tokenVariables(called, [github, called])).toEqual([])
  })
})

it('a forge gets the user name it wants beside a token', () => {
  expect([loginName('github'), loginName('gitlab')]).toEqual(['x-access-token', 'oauth2'])
})
