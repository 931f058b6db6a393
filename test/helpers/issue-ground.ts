/** A kugetsu home with a remote repository for tests of the services: issues with worktrees, and nothing running. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { parseRef } from '../../src/core/issue-ref.ts'
import { ensureIssueWorktree } from '../../src/sessions/starting/ensure-worktree.ts'
import { nameOf } from '../../src/sessions/file/session-name.ts'
import { changeIndex, changeSession } from '../../src/sessions/file/store.ts'
import { createUndo } from '../../src/sessions/starting/undo.ts'
import { createGround, type Ground } from './git-repository.ts'
import { createServiceHome, type ServiceHome } from './service-home.ts'

export interface IssueGround extends Ground {
  service: ServiceHome
  /** The session of issue `number` of forge.test/me/app with its worktree, idle and without an opencode session. */
  issue: (number: number) => Promise<{ ref: string; name: string; path: string }>
  /** Where the files of that issue are. */
  file: (...parts: string[]) => string
}

/** Makes the ground with `files` on the remote's main branch. Call its cleanup() when the test is done. */
export function createIssueGround(files: Record<string, string>): IssueGround {
  const ground = createGround(files)
  const service = createServiceHome()
  const env = { ...ground.env, HOME: service.userHome, KUGETSU_DIR: service.paths.home }
  const home: ServiceHome = { ...service, env }
  fs.writeFileSync(home.paths.repositories, JSON.stringify({ 'forge.test/me/app': ground.url }))
  fs.writeFileSync(home.paths.index, JSON.stringify({ base: 'ses_base', pm_agent: 'ses_pm', issues: {} }))
  return {
    ...ground,
    service: home,
    file: (...parts) => path.join(home.paths.home, ...parts),
    issue: async (number) => {
      const ref = parseRef(`forge.test/me/app#${number}`, { defaultHost: '' })
      const name = nameOf(home, ref)
      const made = await ensureIssueWorktree(
        home,
        { ref, name, existing: undefined },
        createUndo(() => {}),
      )
      await changeSession(home, name, (current) => ({
        ...(current ?? { type: 'forked', issue_ref: `forge.test/me/app#${number}`, state: 'idle' }),
        worktree_path: made.path,
        branch_name: made.branch,
        base_branch: made.baseBranch ?? null,
      }))
      await changeIndex(home, (index) => ({
        ...index,
        issues: { ...index.issues, [`forge.test/me/app#${number}`]: `${name}.json` },
      }))
      return { ref: `forge.test/me/app#${number}`, name, path: made.path }
    },
    cleanup: () => {
      service.cleanup()
      ground.cleanup()
    },
  }
}
