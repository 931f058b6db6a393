/** The branches of a remote for completion, as of the last fetch of its mirror. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../../config/home.ts'
import { listMirrors } from '../../worktrees/mirror/list.ts'
import { readText } from '../../platform/files.ts'

const origin = 'refs/remotes/origin/'

/** The branches of the repository that `ref` names, in full or by its end; of all repositories when it names none. */
export function branches(home: Home, ref: string): string[] {
  const named = ref.includes('#') ? ref.slice(0, ref.indexOf('#')) : ''
  const mirrors = listMirrors(home.paths).filter(({ repository: { host, owner, repo } }) =>
    `/${host}/${owner}/${repo}`.endsWith(named === '' ? '' : `/${named}`),
  )
  return [...new Set(mirrors.flatMap((mirror) => [...packed(mirror.path), ...loose(mirror.path)]))]
    .filter((name) => name !== 'HEAD')
    .toSorted()
}

function packed(mirror: string): string[] {
  const lines = (readText(path.join(mirror, 'packed-refs')) ?? '').split('\n')
  return lines.flatMap((line) => line.split(` ${origin}`)[1] ?? [])
}

function loose(mirror: string): string[] {
  const directory = path.join(mirror, origin)
  if (!fs.existsSync(directory)) return []
  return fs
    .readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.lock'))
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
}
