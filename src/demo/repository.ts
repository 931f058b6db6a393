/** The demo's repository. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError } from '../core/errors.ts'
import type { Stage } from './stage.ts'

/** Makes the bare repository `name` (`owner/repo`) with one commit on main; its directory. */
export async function createRepository(stage: Stage, name: string, files: Record<string, string>): Promise<string> {
  const directory = path.join(stage.root, `${name}.git`)
  const work = path.join(stage.root, 'work')
  for (const each of [directory, work]) fs.mkdirSync(each, { recursive: true })
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(work, file), text)
  const author = { GIT_AUTHOR_NAME: 'Tea Shop', GIT_COMMITTER_NAME: 'Tea Shop' }
  const git = async (cwd: string, ...args: string[]) => {
    const { exitCode, lines } = await stage.run(['git', ...args], { cwd, env: author })
    if (exitCode === 0) return
    throw new KugetsuError(`git ${args[0] ?? ''} failed: ${lines.join(' ')}`, {
      hint: 'The demo needs a git that works: try "git --version".',
      code: 'demo_failed',
    })
  }
  await git(directory, 'init', '-q', '--bare')
  await git(directory, 'symbolic-ref', 'HEAD', 'refs/heads/main')
  await git(work, 'init', '-q')
  await git(work, 'symbolic-ref', 'HEAD', 'refs/heads/main')
  await git(work, 'add', '.')
  await git(work, 'commit', '-q', '-m', 'Open the tea shop')
  await git(work, 'push', '-q', directory, 'main')
  fs.rmSync(work, { recursive: true })
  return directory
}
