/** The npm package: what is in it, and kugetsu as it runs from where npm has put it. Needs a registry. */
import { execFile, execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, runOk, type RunOptions } from '../helpers/kugetsu.ts'
import { leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const minutes = 60_000
/** The Node that runs this has a SQLite of its own. */
const hasSqlite = process.getBuiltinModule('node:sqlite' as 'node:fs') !== undefined

const wanted = [
  /^(package\.json|README\.md|LICENSE|man\/kugetsu\.1|bin\/(kugetsu\.js|package\.json))$/,
  /^dist\/(main\.cjs|environment-plugin(?:-2)?\.js|third-party-licenses\.txt|[\w-]+\.cjs(\.map)?)$/,
  /^(skills\/kugetsu\/(SKILL|pm\/[\w-]+)\.md|scripts\/setup\/([\w-]+\.sh|kugetsu\.service))$/,
]

let stage: Stage
let work: string
let prebuilds: string
let packed: { filename: string; size: number; unpackedSize: number; files: { path: string }[] }
beforeAll(async () => {
  stage = await setStage({ init: false })
  work = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-package-'))
  // As a clean clone is after npm ci: without dist/.
  const clone = path.join(work, 'clone')
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const file of files
    .toString()
    .split('\0')
    .filter((each) => fs.existsSync(path.join(root, each)) && each !== '')) {
    fs.mkdirSync(path.dirname(path.join(clone, file)), { recursive: true })
    fs.copyFileSync(path.join(root, file), path.join(clone, file))
  }
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(clone, 'node_modules'))
  const said = await npm(['pack', '--json', '--pack-destination', work], { cwd: clone })
  packed = (JSON.parse(said.slice(said.indexOf('[\n'))) as [typeof packed])[0]
  prebuilds = path.join(work, 'prebuilds')
  packAddon(prebuilds)
})
afterAll(async () => {
  await stage.cleanup()
  fs.rmSync(work, { recursive: true, force: true })
})

/**
 * The addon that is built here already, where the install script of better-sqlite3 finds it, as a user's finds the one of its
 * release on the network: to compile it takes minutes, and tells nothing of kugetsu.
 */
function packAddon(directory: string): void {
  const from = path.join(root, 'node_modules', 'better-sqlite3')
  const { version } = JSON.parse(fs.readFileSync(path.join(from, 'package.json'), 'utf8')) as { version: string }
  const name = `better-sqlite3-v${version}-node-v${process.versions.modules}-${process.platform}-${process.arch}.tar.gz`
  fs.mkdirSync(directory)
  execFileSync('tar', ['-czf', path.join(directory, name), '-C', from, 'build/Release/better_sqlite3.node'])
}

/** Runs npm, or another program of the kind; what it printed. */
async function npm(args: string[], { cwd = work, command = ['npm'] } = {}): Promise<string> {
  const [program = '', ...first] = command
  // npm's own variables are those of the npm that runs the tests.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?!config_registry)/i.test(name)),
  )
  Object.assign(env, { npm_config_better_sqlite3_local_prebuilds: prebuilds })
  return (await promisify(execFile)(program, [...first, ...args], { cwd, env, maxBuffer: 1e8 })).stdout
}

const addonOf = (prefix: string) => {
  const within = ['better-sqlite3', 'build', 'Release', 'better_sqlite3.node']
  return path.join(prefix, 'lib', 'node_modules', 'kugetsu', 'node_modules', ...within)
}

/** An agent, from init to its end, by a kugetsu that is called like this and warns of nothing; its transcript. */
async function agentBy(issue: number, options: RunOptions): Promise<string> {
  const { stderr } = await runOk(stage.home, ['init', '--force'], options)
  expect(stderr).not.toMatch(/Warning/)
  const started = await runOk(stage.home, ['start', ref(issue), 'BASH{{kugetsu list}} SAY{{Seen.}}', '--wait'], options)
  expect(started.stderr).not.toMatch(/Warning/)
  return (await runOk(stage.home, ['logs', ref(issue)], options)).stdout
}

describe('the package', () => {
  it('holds what is needed, built when it was packed, and nothing else', () => {
    const files = packed.files.map((each) => each.path)
    expect(files.filter((file) => !wanted.some((pattern) => pattern.test(file)))).toEqual([])
    const needed = [
      'LICENSE',
      'README.md',
      'bin/kugetsu.js',
      'bin/package.json',
      'man/kugetsu.1',
      'skills/kugetsu/SKILL.md',
    ]
    expect(files).toEqual(
      expect.arrayContaining([
        ...needed,
        'dist/main.cjs',
        'dist/environment-plugin.js',
        'dist/environment-plugin-2.js',
      ]),
    )
    expect(packed.size).toBeLessThan(1.5e6)
    expect(packed.unpackedSize).toBeLessThan(5e6)
  })
})

describe('installed by the npm of this machine', () => {
  let prefix: string
  let options: RunOptions
  beforeAll(async () => {
    prefix = path.join(work, 'prefix')
    await npm(['install', '--global', '--prefix', prefix, path.join(work, packed.filename)])
    options = { command: [path.join(prefix, 'bin', 'kugetsu')] }
  }, 8 * minutes)

  it('has its addon, its version and its manual page', async () => {
    expect(fs.existsSync(addonOf(prefix))).toBe(true)
    const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }
    expect(await runOk(stage.home, ['--version'], options)).toMatchObject({ stdout: `${version}\n`, stderr: '' })
    const page = path.join(prefix, 'share', 'man', 'man1', 'kugetsu.1')
    expect(fs.readFileSync(page, 'utf8')).toBe(fs.readFileSync(path.join(root, 'man', 'kugetsu.1'), 'utf8'))
  })

  it('has agents work', async () => {
    expect(await agentBy(1, options)).toMatch(/ISSUE_REF[^]*Seen\./)
  })

  it('completes in a bash that finds its completion where the documentation has it put', async () => {
    const file = path.join(stage.home.root, '.local/share/bash-completion/completions/kugetsu')
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, (await runOk(stage.home, ['completion', 'bash'], options)).stdout)
    const script = `source '${file}'; COMP_LINE='kugetsu stat' COMP_POINT=12 COMP_CWORD=1 COMP_WORDS=(kugetsu stat); _kugetsu; echo "$COMPREPLY"`
    const env = { ...stage.home.env, PATH: `${path.join(prefix, 'bin')}:${stage.home.env['PATH']}` }
    expect(execFileSync('bash', ['-c', script], { env, encoding: 'utf8' })).toBe('status\n')
  })
})

describe('installed by npm 12, which runs no install scripts', () => {
  let prefix: string
  let script: string
  let currentNode: string
  beforeAll(async () => {
    prefix = path.join(work, 'prefix-12')
    const tools = path.join(work, 'tools')
    const ours = path.join(path.dirname(process.execPath), 'npm')
    await npm(
      [
        'install',
        '--prefix',
        tools,
        '--ignore-scripts',
        'npm@12',
        `node-bin-linux-${process.arch}@npm:node-linux-${process.arch}@24`,
      ],
      {
        command: [fs.existsSync(ours) ? ours : 'npm'],
      },
    )
    currentNode = path.join(tools, 'node_modules', `node-bin-linux-${process.arch}`, 'bin', 'node')
    await npm(['install', '--global', '--prefix', prefix, path.join(work, packed.filename)], {
      command: [currentNode, path.join(tools, 'node_modules', 'npm', 'bin', 'npm-cli.js')],
    })
    script = path.join(prefix, 'lib', 'node_modules', 'kugetsu', 'bin', 'kugetsu.js')
  }, 8 * minutes)

  it('has no addon, and has agents work by the SQLite of a current Node', async () => {
    expect(fs.existsSync(addonOf(prefix))).toBe(false)
    expect(await agentBy(2, { command: [currentNode, script] })).toMatch(/ISSUE_REF[^]*Seen\./)
  })

  it.skipIf(hasSqlite)('says on an older Node in one line what to do (skipped: this Node has a SQLite)', async () => {
    const options: RunOptions = { command: [process.execPath, script] }
    const { code, stderr } = await run(stage.home, ['start', ref(3), 'SAY{{No.}}'], options)
    expect(code).toBe(1)
    const where = path.dirname(path.dirname(script))
    const line = `Hint: Run: npm rebuild --prefix '${where}' better-sqlite3 (or use Node 22.13 or newer).`
    expect(stderr.split('\n')).toContain(line)
    expect(stderr).toMatch(/^Error: no SQLite driver loads: the addon of better-sqlite3 was not built for this Node$/m)
  })
})

it('leaves no process behind', async () => {
  await stage.home.cleanup()
  expect(leftovers(stage.home.root)).toEqual([])
})
