/**
 * An opencode 2 for tests. npm has its program as a package of its own, for Linux alone, with 200 MB: it is installed once,
 * before the first end-to-end test, into the cache directory of `npm run test:versions`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'

const version = '2.0.15'
const name = '@opencode/cli-linux-x64-baseline'
const installMs = 10 * 60_000

const cache = path.join(process.env['XDG_CACHE_HOME'] || path.join(os.homedir(), '.cache'), 'kugetsu-versions')
const directory = path.join(cache, `opencode-${version}`)
const program = path.join(directory, 'node_modules', name, 'bin', 'opencode')
const stamp = path.join(directory, 'installed')
/** Why it is not installed. */
const reason = path.join(cache, `opencode-${version}.why`)

/** Whether there can be one here: KUGETSU_OPENCODE_2 names it, or npm has it. */
export function mayHaveOpencode2(): boolean {
  return Boolean(process.env['KUGETSU_OPENCODE_2']) || (process.platform === 'linux' && process.arch === 'x64')
}

/** The path of the program: KUGETSU_OPENCODE_2, else the one that is installed. Or why there is none. */
export function opencode2Program(): { program: string } | { why: string } {
  const given = process.env['KUGETSU_OPENCODE_2']
  if (given) return { program: path.resolve(given) }
  if (!mayHaveOpencode2()) return { why: `no package for ${os.platform()}` }
  if (fs.existsSync(stamp)) return { program }
  return { why: fs.existsSync(reason) ? fs.readFileSync(reason, 'utf8') : 'it is not installed' }
}

/** Called by vitest once, before the workers. Never throws: the tests of opencode 2 are skipped then, and say so. */
export async function setup(): Promise<void> {
  if ('program' in opencode2Program() || !mayHaveOpencode2()) return
  await install().catch((error: unknown) => console.error(`opencode 2 is not installed: ${String(error)}`))
}

async function install(): Promise<void> {
  fs.rmSync(directory, { recursive: true, force: true })
  fs.mkdirSync(directory, { recursive: true })
  fs.writeFileSync(path.join(directory, 'package.json'), '{"private":true}')
  const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${version}`]
  const npm = spawn('npm', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'], timeout: installMs })
  let said = ''
  npm.stderr.on('data', (chunk: Buffer) => (said += String(chunk)))
  const [code] = (await once(npm, 'close').catch((error: unknown) => [String(error)])) as [number | string | null]
  if (code === 0 && fs.existsSync(program)) fs.writeFileSync(stamp, '')
  else fs.writeFileSync(reason, `npm cannot install it: ${said.trim().split('\n')[0] || `exit code ${code}`}`)
}
