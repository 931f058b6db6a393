/** An opencode 2 for tests. npm has its program as a package of its own for Linux alone. */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'

const version = '2.0.15'
const name = '@opencode/cli-linux-x64-baseline'

/**
 * The path of the program: KUGETSU_OPENCODE_2, else one in the cache directory of `npm run test:versions`, where it is
 * installed at the first use. Or why there is none.
 */
export function opencode2Program(): { program: string } | { why: string } {
  const given = process.env['KUGETSU_OPENCODE_2']
  if (given) return { program: path.resolve(given) }
  if (process.platform !== 'linux' || process.arch !== 'x64') return { why: `no package for ${os.platform()}` }
  const directory = path.join(cache(), `opencode-${version}`)
  const program = path.join(directory, 'node_modules', name, 'bin', 'opencode')
  const stamp = path.join(directory, 'installed')
  if (!fs.existsSync(stamp)) {
    fs.rmSync(directory, { recursive: true, force: true })
    fs.mkdirSync(directory, { recursive: true })
    fs.writeFileSync(path.join(directory, 'package.json'), '{"private":true}')
    const args = ['install', '--no-audit', '--no-fund', `${name}@${version}`]
    const { status, stderr } = spawnSync('npm', args, { cwd: directory, encoding: 'utf8', timeout: 180_000 })
    if (status !== 0) return { why: `npm cannot install it: ${stderr?.trim().split('\n')[0] ?? 'no npm'}` }
    fs.writeFileSync(stamp, '')
  }
  return { program }
}

function cache(): string {
  return path.join(process.env['XDG_CACHE_HOME'] || path.join(os.homedir(), '.cache'), 'kugetsu-versions')
}
