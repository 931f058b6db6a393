/** Homes of the bash tool's versions: they must load for ever, and reading them must not change them. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { whyIssueStays } from '../../../src/sessions/cleanup/destroy.ts'
import { findOrphans } from '../../../src/sessions/cleanup/orphans.ts'
import { readIndex, readSession, readSessions } from '../../../src/sessions/file/store.ts'
import type { SessionView } from '../../../src/sessions/status/session-view.ts'
import { createHome, type Home } from '../../helpers/home.ts'
import { run, runJson } from '../../helpers/kugetsu.ts'
import { createServiceHome } from '../../helpers/service-home.ts'

const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url))
const issues = {
  'bash-home': ['git.example.com/team/tool#-discuss', 'github.com/shoko/kugetsu#14'],
  'bash-home-directories': [],
  'bash-home-queue-json': ['github.com/shoko/kugetsu#21'],
  'bash-home-parent-worktrees': ['github.com/shoko/kugetsu#31', 'github.com/shoko/kugetsu#32'],
}

let user: Home
beforeEach(() => {
  user = createHome()
})
afterEach(() => user.cleanup())

/** Every file under a directory with its content, but for the locks and what was said once. */
function contentOf(directory: string): Record<string, string> {
  const files = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  return Object.fromEntries(
    files
      .filter((name) => !/^(locks|said)/.test(name) && fs.statSync(path.join(directory, name)).isFile())
      .map((name) => [name, fs.readFileSync(path.join(directory, name), 'utf8')]),
  )
}

describe.each(Object.entries(issues))('%s', (fixture, refs) => {
  beforeEach(() => fs.cpSync(path.join(fixtures, fixture), user.kugetsuDir, { recursive: true }))

  it('is listed as it is, and looked through by prune, without being changed', async () => {
    const before = contentOf(user.kugetsuDir)
    const { json, stderr } = await runJson<SessionView[]>(user, ['list', '--json'])
    expect(stderr).toBe('')
    expect(json.flatMap(({ issue_ref }) => issue_ref ?? [])).toEqual(refs)
    expect(json.filter(({ pr_url }) => pr_url === '')).toEqual([])
    expect((await run(user, ['list'])).code).toBe(0)
    expect((await run(user, ['status'])).code).toBe(0)
    expect((await run(user, ['recover'])).stdout).toBe('Nothing is saved\n')
    const pruned = await run(user, ['prune'])
    expect(pruned.code).toBe(refs.length === 0 ? 1 : 0)
    expect(contentOf(user.kugetsuDir)).toEqual(before)
  })
})

it('prune names what is left over in a home of the bash tool', async () => {
  const home = createServiceHome({ from: path.join(fixtures, 'bash-home-queue-json') })
  try {
    const orphans = await findOrphans(home, readIndex(home)!)
    expect(orphans.map(({ kind, issueRef, why }) => [kind, issueRef, why])).toEqual([
      ['session_file', 'github.com/shoko/kugetsu#23', 'the index does not list it'],
      ['index_entry', 'github.com/shoko/kugetsu#22', 'its session file github.com-shoko-kugetsu-22.json is gone'],
    ])
    for (const orphan of orphans) {
      expect((await orphan.look()).reasons).toEqual([])
      await orphan.remove()
    }
    expect(await findOrphans(home, readIndex(home)!)).toEqual([])
    expect(Object.keys(readIndex(home)?.issues ?? {})).toEqual(['github.com/shoko/kugetsu#21'])
    expect(readSessions(home).map(({ name }) => name)).toEqual(['base', 'pm-agent', 'github.com-shoko-kugetsu-21'])
    // Neither its worktree nor a mirror is on this machine: there is nothing to lose.
    expect((await whyIssueStays(home, readSession(home, 'github.com-shoko-kugetsu-21')!)).reasons).toEqual([])
  } finally {
    home.cleanup()
  }
})
