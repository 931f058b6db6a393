import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { forgeCalls } from '../../src/agents/forge-calls.ts'
import { tokenVariables } from '../../src/config/server-tokens.ts'
import { forgeOfKind } from '../../src/forges/forge-kinds.ts'
import { startHttpRecorder, type HttpRecorder } from '../helpers/http-recorder.ts'

const token = 'tok-3f9a71c05be2'
const forges = ['gitea', 'github', 'gitlab'] as const
/** Without either there is nothing to look at. */
const canLook = isInstalled('curl', '--version') && fs.existsSync('/proc/self/cmdline')
const shells = ['sh', 'bash', 'dash', 'zsh'].filter((shell) => isInstalled(shell, '-c', 'true'))

let server: HttpRecorder
beforeAll(async () => {
  server = await startHttpRecorder('{"ok":true}\n')
})
afterAll(() => server.close())

function isInstalled(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The variables of a server that is the only one of its kind. */
function tokensOf(type: (typeof forges)[number]): string[] {
  const own = { name: 'forge.test', url: 'https://forge.test', type, default: false }
  return tokenVariables(own, [own])
}

/** What the prompt says for a repository on our own server. */
const calls = (forge: (typeof forges)[number], number: string | undefined = '14') =>
  forgeCalls(forgeOfKind(forge)!, {
    repository: { host: 'forge.test', owner: 'me', repo: 'app' },
    number,
    apiUrl: `${server.origin}/api`,
    tokens: tokensOf(forge),
    branch: 'fix/issue-14',
    baseBranch: 'main',
  })

/** Runs a command behind the two lines that the prompt gives, as an agent would; what it printed. */
async function run(shell: string, forge: (typeof forges)[number], command: string, env: Record<string, string>) {
  server.requests.length = 0
  const lines = calls(forge).split('\n')
  const begin = lines.filter((line) => /^ {2}(api=|forge\(\))/.test(line))
  expect(begin).toHaveLength(2)
  const child = spawn(shell, ['-c', [...begin, command].join('\n')], {
    env: { PATH: process.env['PATH'], HOME: '/dev/null', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (text) => (output += String(text)))
  child.stderr.on('data', (text) => (output += String(text)))
  await once(child, 'close')
  return output
}

const tokenOf = {
  gitea: { variable: 'GITEA_TOKEN', header: 'authorization', value: `token ${token}` },
  github: { variable: 'GITHUB_TOKEN', header: 'authorization', value: `Bearer ${token}` },
  gitlab: { variable: 'GITLAB_TOKEN', header: 'private-token', value: token },
}
const issue = {
  gitea: '/api/repos/me/app/issues/14',
  github: '/api/repos/me/app/issues/14',
  gitlab: '/api/projects/me%2Fapp/issues/14',
}

describe.runIf(canLook).each(forges)('the calls of %s, really made', (forge) => {
  const { variable, header, value } = tokenOf[forge]

  it.each(shells)('hand the token over unseen, in %s', async (shell) => {
    expect(await run(shell, forge, 'forge "$api/issues/14"', { [variable]: token })).toBe('{"ok":true}\n')
    expect(server.requests).toMatchObject([{ method: 'GET', url: issue[forge], headers: { [header]: value } }])
    // It was curl that asked, and it was looked at while it did.
    expect(
      server.requests[0]?.processes.filter((line) => line.startsWith('curl ') && line.includes(server.origin)),
    ).toHaveLength(1)
    expect(server.requests[0]?.processes.filter((line) => line.includes(token))).toEqual([])
  })

  it.each(shells)('write what a here-document says, in %s', async (shell) => {
    const body = `{"body":"it's \\"done\\", $HOME \`id\`\\n"}`
    const write = `-X POST -H 'Content-Type: application/json' "$api/issues/14/notes" --data-binary @- <<'JSON'\n${body}\nJSON`
    await run(shell, forge, `forge ${write}`, { [variable]: token })
    expect(server.requests).toMatchObject([
      { method: 'POST', url: `${issue[forge]}/notes`, body: `${body}\n`, headers: { [header]: value } },
    ])
    expect(server.requests[0]?.headers['content-type']).toBe('application/json')
    expect(server.requests[0]?.processes.filter((line) => line.includes(token))).toEqual([])
  })

  it('ask without any header where there is no token', async () => {
    expect(await run('sh', forge, 'set -u; forge "$api/issues/14" | cat', { GH_TOKEN: '' })).toBe('{"ok":true}\n')
    expect(server.requests).toHaveLength(1)
    expect(Object.keys(server.requests[0]?.headers ?? {}).sort()).toEqual(['accept', 'host', 'user-agent'])
  })
})

it.runIf(canLook)('GitHub has two names for the token', async () => {
  await run('sh', 'github', 'forge "$api/issues/14"', { GH_TOKEN: token })
  expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${token}`)
})

describe('the paths', () => {
  // As the forges document them.
  const documented = {
    gitea: [
      '- the issue: issues/14\n',
      '- its comments, all of them: issues/14/comments\n',
      '- comment on it: POST issues/14/comments {"body":"…"}\n',
      '- open pull requests: pulls?state=open&limit=50 ',
      '- one pull request: pulls/<pr> ',
      '- its reviews and approvals: pulls/<pr>/reviews ',
      '- remarks on its lines: pulls/<pr>/reviews/<id of the review>/comments',
      '- its comments: issues/<pr>/comments; answer with POST issues/<pr>/comments {"body":"…"}\n',
      '- its checks: commits/<sha of your last commit>/status\n',
      '- open one: POST pulls {"title":"…","body":"…","head":"fix/issue-14","base":"main"}\n',
      '- merge (only when approved): POST pulls/<pr>/merge {"Do":"merge"}\n',
    ],
    github: [
      '- the issue: issues/14\n',
      '- its comments, all of them: issues/14/comments?per_page=100\n',
      '- comment on it: POST issues/14/comments {"body":"…"}\n',
      '- open pull requests: pulls?state=open&per_page=100&head=me:fix%2Fissue-14 ',
      '- its reviews and approvals: pulls/<pr>/reviews?per_page=100 ',
      '- remarks on its lines: pulls/<pr>/comments?per_page=100; answer one with POST pulls/<pr>/comments/<its id>/replies {"body":"…"}\n',
      'answer with POST issues/<pr>/comments {"body":"…"}\n',
      '- its checks: commits/<sha of your last commit>/check-runs and commits/<sha of your last commit>/status\n',
      '- open one: POST pulls {"title":"…","body":"…","head":"fix/issue-14","base":"main"}\n',
      '- merge (only when approved): PUT pulls/<pr>/merge {"merge_method":"merge"}\n',
    ],
    gitlab: [
      '- the issue: issues/14\n',
      '- its comments, all of them: issues/14/notes?per_page=100&sort=asc\n',
      '- comment on it: POST issues/14/notes {"body":"…"}\n',
      '- open pull requests: merge_requests?state=opened&per_page=100&source_branch=fix%2Fissue-14 ',
      '- its reviews and approvals: merge_requests/<pr>/approvals ',
      '- remarks on its lines: merge_requests/<pr>/discussions?per_page=100; answer one with POST merge_requests/<pr>/discussions/<its id>/notes {"body":"…"}\n',
      'answer with POST merge_requests/<pr>/notes {"body":"…"}\n',
      '- its checks: merge_requests/<pr>/pipelines\n',
      '- open one: POST merge_requests {"title":"…","description":"…","source_branch":"fix/issue-14","target_branch":"main"}\n',
      '- merge (only when approved): PUT merge_requests/<pr>/merge {}\n',
    ],
  }

  it.each(forges)('of %s', (forge) => {
    for (const line of documented[forge]) expect(calls(forge)).toContain(line)
  })

  it('are those on pull requests alone where the issue has no number', () => {
    const text = forgeCalls(forgeOfKind('gitea')!, {
      repository: { host: 'forge.test', owner: 'me', repo: 'app' },
      number: undefined,
      tokens: [],
      apiUrl: 'https://forge.test/api/v1',
      branch: 'fix/issue--x',
      baseBranch: 'main',
    })
    expect(text).not.toMatch(/the issue:|undefined|issues\/-/)
    expect(text).toContain('- one pull request: pulls/<pr> ')
  })
})
