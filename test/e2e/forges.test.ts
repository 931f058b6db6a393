import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../src/queue/item.ts'
import { startForge, type ForgeServer } from '../helpers/forge-servers.ts'
import { runJson } from '../helpers/kugetsu.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'
import { waitFor } from '../helpers/wait-for.ts'

const token = 'gitea-token-of-the-tests'

let stage: Stage
let forge: ForgeServer
/** Another host, to which nothing may ever go. */
let stranger: ForgeServer
beforeAll(async () => {
  stage = await setStage({ config: { MAX_CONCURRENT_AGENTS: 2 } })
  forge = await startForge('gitea', { token })
  stranger = await startForge('gitea', { token })
  await stage.ok(['server', 'add', 'forge.test', stage.git.url, '--type', 'gitea', '--api', forge.api])
  fs.appendFileSync(at('env', 'default.env'), `export GITEA_TOKEN="${token}"\n`)
})
afterAll(async () => {
  await stage.cleanup()
  await forge.stop()
  await stranger.stop()
})

const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
const page = (number: number) => `https://forge.test/me/app/pulls/${number}`
const branchOf = (number: number) => `fix/issue-${number}`
const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', args, { cwd, env: stage.home.env, encoding: 'utf8', timeout: 60_000 }).trim()
const committing = (file: string) => `echo ${file} > ${file} && git add ${file} && git commit -q -m "Add ${file}"`

/** What a reviewer does with a branch: squashes it onto main, and deletes it. The forge keeps its head. */
function squashMerge(number: number, branch: string): string {
  const clone = fs.mkdtempSync(path.join(stage.home.root, 'reviewer-'))
  const sha = git(stage.git.pathOf('me/app'), 'rev-parse', `refs/heads/${branch}`)
  git(clone, 'clone', '-q', stage.git.pathOf('me/app'), '.')
  git(clone, 'merge', '-q', '--squash', `origin/${branch}`)
  git(clone, 'commit', '-q', '-m', `Squashed ${branch}`)
  git(clone, 'push', '-q', 'origin', 'HEAD:main')
  git(clone, 'push', '-q', 'origin', '--delete', branch)
  git(stage.git.pathOf('me/app'), 'update-ref', `refs/pull/${number}/head`, sha)
  return sha
}

describe('the pull request of an agent that pushes its branch', () => {
  it('is found when its run has ended, and noted on session and task', async () => {
    const headSha = () => stage.git.commitsOn('me/app', branchOf(1))[0]?.sha ?? ''
    forge.pulls = [{ number: 3, branch: branchOf(1), state: 'open', headSha }]
    const task = `BASH{{${committing('x.txt')} && git push -q -u origin HEAD:${branchOf(1)}}} SAY{{done}}`
    const { json } = await runJson<Item>(stage.home, ['queue', 'enqueue', ref(1), task, '--json'])
    await stage.ok(['queue-daemon', 'start'])
    const shown = async () => (await runJson<Item>(stage.home, ['queue', 'show', json.id, '--json'])).json
    const done = await waitFor('the pull request on the task', async () => {
      const item = await shown()
      return item.result?.pr_url ? item : undefined
    })
    expect(done).toMatchObject({ state: 'completed', pr_url: page(3), result: { pr_url: page(3), commits: 1 } })
    expect(await stage.session(1)).toMatchObject({ pr_url: page(3), state: 'idle' })
    expect(await stage.ok(['list'])).toContain(page(3))
    await stage.ok(['queue-daemon', 'stop'])
  })

  it('keeps its worktree while it is open', async () => {
    const said = await stage.kugetsu(['destroy', ref(1), '-y'])
    expect(said).toMatchObject({ code: 1, stdout: '' })
    expect(said.stderr).toBe(
      `Error: ${ref(1)} is not destroyed: its pull request ${page(3)} is open\n` +
        'Hint: Merge or close it first, or use --force.\n',
    )
    const { json } = await runJson(stage.home, ['destroy', ref(1), '-y', '--json'])
    expect(json).toMatchObject({ error: { code: 'pull_request_open' } })
    expect(fs.existsSync(stage.worktree(1))).toBe(true)
  })

  it('lets it go once it is merged, squashed and its branch deleted', async () => {
    const headSha = squashMerge(3, branchOf(1))
    forge.pulls = [{ number: 3, branch: branchOf(1), state: 'merged', headSha, branchDeleted: true }]
    // To git alone the commit is on no branch any more.
    git(stage.worktree(1), 'fetch', '-q', '--prune')
    const env = { WORKTREE_CHECK_PR_STATUS: 'false' }
    const refused = await stage.kugetsu(['destroy', ref(1), '-y'], { env })
    expect(refused.stderr).toContain('1 unpushed commit: Add x.txt')
    expect(await stage.ok(['destroy', ref(1), '-y'])).toContain(`Destroyed ${ref(1)}`)
    expect(fs.existsSync(stage.worktree(1))).toBe(false)
  })
})

describe('an agent that did not push', () => {
  it('keeps its worktree through an outage of the forge', async () => {
    await stage.ok(['start', ref(2), `BASH{{${committing('y.txt')}}} SAY{{done}}`, '--wait'])
    forge.trouble = 'hangs up'
    const said = await stage.kugetsu(['destroy', ref(2), '-y'])
    expect(said.code).toBe(1)
    expect(said.stderr).toMatch(
      /1 unpushed commit: Add y\.txt; whether its pull request was merged cannot be told: .* \(ECONNRESET\)\n/,
    )
    forge.trouble = undefined
    expect(fs.existsSync(path.join(stage.worktree(2), 'y.txt'))).toBe(true)
  })

  it('gets its pull request by set-pr, if that is one of its repository', async () => {
    forge.pulls = [{ number: 7, branch: 'by-hand', state: 'open', headSha: 'd'.repeat(40) }]
    const set = (url: string) => stage.kugetsu(['set-pr', 'app#2', url])
    expect(await set('https://forge.test/me/other/pulls/7')).toMatchObject({
      code: 1,
      stderr:
        'Error: "https://forge.test/me/other/pulls/7" is not the URL of a pull request of me/app\n' +
        'Hint: It looks like https://forge.test/me/app/pulls/15.\n',
    })
    expect(await set(page(8))).toMatchObject({ code: 1, stderr: expect.stringContaining('no pull request 8') })
    expect((await stage.session(2)).pr_url).toBeNull()
    const { code, stdout, stderr } = await set(`${page(7)}/files?w=1`)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(`${ref(2)} has the pull request ${page(7)}\n  open, no conflicts, no checks\n`)
    expect((await stage.session(2)).pr_url).toBe(page(7))
    const { json } = await runJson(stage.home, ['set-pr', ref(2), page(7), '--json'])
    const standing = { state: 'open', mergeable: true, ci: 'none', reason: null }
    expect(json).toEqual({ issue_ref: ref(2), pr_url: page(7), number: 7, ...standing })
  })

  it('goes with --force, its work saved, whatever the pull request', async () => {
    const refused = await stage.kugetsu(['destroy', ref(2), '-y'])
    expect(refused.stderr).toContain(`its pull request ${page(7)} is open; 1 unpushed commit`)
    forge.requests.length = 0
    const said = await stage.ok(['destroy', ref(2), '-y', '--force'])
    expect(said).toContain('Its work is kept for 30 days as refs/')
    expect(forge.requests).toEqual([])
  })
})

describe('the token', () => {
  it('goes to the forge alone, and is nowhere to be read', async () => {
    await stage.ok(['start', ref(3), `BASH{{${committing('z.txt')}}} SAY{{done}}`, '--wait'])
    const before = forge.requests.length
    forge.trouble = 'moved'
    forge.movedTo = `${stranger.api}/repos/me/app/pulls`
    const said = await stage.kugetsu(['destroy', ref(3), '-y', '--debug'])
    expect(said.stderr).toContain(`redirects to ${stranger.origin}`)
    expect(stranger.requests).toEqual([])
    expect(forge.requests.slice(before).map((request) => request.token)).toEqual([token])
    const files = ['journal.jsonl', path.join('queue', 'daemon.log'), 'servers.json'].map((file) => at(file))
    const read = [said.stderr, said.stdout, ...files.map((file) => fs.readFileSync(file, 'utf8'))].join('\n')
    expect(read).toContain(stranger.origin)
    expect(read).not.toContain(token)
    expect(forge.requests.map(({ url }) => url).join('\n')).not.toContain(token)
  })

  it('and everything else was asked as the forge has it in its documents', () => {
    expect(forge.violations).toEqual([])
  })
})
