// npm run test:versions: the end-to-end suite against the versions of opencode and Node that kugetsu is made for. Each
// is installed, and the project copied and installed for each Node, in a cache directory: the repository stays as it is.
import { spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, stripVTControlCharacters } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const lock = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'))

/** How kugetsu is packed does not depend on the versions, and is tested only in a repository. */
const notOfVersions = ['binary', 'package']
/** Files about one version of opencode, which run on it whatever is chosen. */
const onlyOf = { 1: /^(opencode-1|opencode-doc|model-providers)$/, 2: /^opencode-2|-2$/ }

const newest1 = lock.packages['node_modules/opencode-ai'].version
const newest2 = '2.0.15'
/** Exact versions, oldest first: the oldest supported, one in the middle, the newest of 1 and of 2 that were tested. */
const versions = {
  opencode: ['1.2.27', '1.14.41', newest1, newest2],
  node: ['20.19.0', '24.21.0', '26.12.1'],
}
const [oldestNode, ...newerNodes] = versions.node

const usage = `npm run test:versions -- [options] [files]

  --opencode <version>   only that one (${versions.opencode.join(', ')}; a beginning is enough); may be given again
  --node <version>       only that one (${versions.node.join(', ')}); may be given again
  --cache <directory>    where everything is installed (${cacheByDefault()}); it may be deleted at any time
  --again                repeats what has passed, too

Files are names of test/e2e/, such as queue; all without any (but ${notOfVersions.join(' and ')}). Without options each opencode runs on Node ${oldestNode}, and
opencode ${newest1} and ${newest2} on each Node. A file that has passed is not run again: what is interrupted goes on where it
was. Whatever is not installed yet takes a network, and a C++ compiler, once. opencode 2 takes Linux on x64.
`

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    opencode: { type: 'string', multiple: true },
    node: { type: 'string', multiple: true },
    cache: { type: 'string', default: cacheByDefault() },
    again: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const cache = path.resolve(flags.cache)
let current

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    current?.kill(signal)
    process.exitCode = 130
  })
}

if (flags.help) process.stdout.write(usage)
else await main()

async function main() {
  const files = chosenFiles(positionals)
  const table = []
  for (const { opencode, node } of combinations()) {
    const nodeProgram = installNode(node)
    const project = installProject(node, nodeProgram)
    const program = opencode === newest1 ? path.join(project, 'node_modules/.bin/opencode') : installOpencode(opencode)
    const row = { opencode, node, passed: 0, failed: 0, skipped: 0, seconds: 0 }
    table.push(row)
    for (const file of files.filter((name) => !onlyOf[opencode.startsWith('2.') ? 1 : 2].test(name))) {
      if (process.exitCode === 130) break
      const result = await runFile({ opencode, node, nodeProgram, project, program, file })
      for (const key of ['passed', 'failed', 'skipped', 'seconds']) row[key] += result[key]
    }
  }
  print(`\n${line(['opencode', 'Node', 'passed', 'failed', 'skipped', 'time'])}`)
  for (const row of table) tell(row)
  if (table.some(({ failed }) => failed > 0)) process.exitCode ??= 1
}

function combinations() {
  const wanted = (of, given) => versions[of].filter((version) => given.some((each) => isMeant(version, each)))
  for (const of of ['opencode', 'node']) {
    const unknown = (flags[of] ?? []).find((given) => !versions[of].some((version) => isMeant(version, given)))
    if (unknown !== undefined) fail(`no such version of ${of}: ${unknown} (there are ${versions[of].join(', ')})`)
  }
  if (flags.opencode === undefined && flags.node === undefined) {
    const onOldest = versions.opencode.map((opencode) => ({ opencode, node: oldestNode }))
    return [...onOldest, ...newerNodes.flatMap((node) => [newest1, newest2].map((opencode) => ({ opencode, node })))]
  }
  const opencodes = flags.opencode === undefined ? [newest1, newest2] : wanted('opencode', flags.opencode)
  const nodes = flags.node === undefined ? [oldestNode] : wanted('node', flags.node)
  return opencodes.flatMap((opencode) => nodes.map((node) => ({ opencode, node })))
}

function isMeant(version, given) {
  return version === given || version.startsWith(`${given}.`)
}

function chosenFiles(names) {
  const all = fs
    .readdirSync(path.join(root, 'test/e2e'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.replace('.test.ts', ''))
  if (names.length === 0) return all.filter((name) => !notOfVersions.includes(name))
  const wanted = names.map((name) => path.basename(name).replace(/\.test\.ts$/, ''))
  const unknown = wanted.find((name) => !all.includes(name))
  if (unknown !== undefined) fail(`no test/e2e/${unknown}.test.ts`)
  return wanted
}

async function runFile({ opencode, node, nodeProgram, project, program, file }) {
  const log = path.join(cache, 'logs', `opencode-${opencode}-node-${node}`, `${file}.log`)
  fs.mkdirSync(path.dirname(log), { recursive: true })
  const before = path.join(path.dirname(log), `${file}.passed`)
  if (fs.existsSync(before) && !flags.again) {
    const result = JSON.parse(fs.readFileSync(before, 'utf8'))
    tell({ opencode, node, ...result }, `${file} (passed at ${result.commit})`)
    return result
  }
  fs.rmSync(before, { force: true })
  const from = performance.now()
  const output = fs.openSync(log, 'w')
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'e2e', `test/e2e/${file}.test.ts`]
  const env = {
    ...environmentFor(nodeProgram),
    KUGETSU_OPENCODE: program,
    [`KUGETSU_OPENCODE_${opencode.split('.')[0]}`]: program,
  }
  await new Promise((resolve, reject) => {
    current = spawn(nodeProgram, vitest, { cwd: project, env, stdio: ['ignore', output, output] })
    current.on('error', reject)
    current.on('close', resolve)
  })
  fs.closeSync(output)
  const seconds = (performance.now() - from) / 1000
  // The last line of the reporter of vitest.config.ts.
  const said = stripVTControlCharacters(fs.readFileSync(log, 'utf8'))
  const found = [...said.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1)
  const [passed, failed, skipped] = found === undefined ? [0, 1, 0] : found.slice(1).map((count) => Number(count ?? 0))
  const result = { passed, failed, skipped, seconds, commit: commitNow() }
  if (failed === 0 && process.exitCode !== 130) fs.writeFileSync(before, JSON.stringify(result))
  tell({ opencode, node, ...result }, failed > 0 ? `${file} see ${log}` : file)
  return result
}

function tell({ opencode, node, passed, failed, skipped, seconds }, about = '') {
  print(line([opencode, node, passed, failed, skipped, `${Math.round(seconds)} s`, about]))
}

/** What is checked out, as git names it for a person. */
function commitNow() {
  return spawnSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' }).stdout.trim()
}

/** The path of that opencode. */
function installOpencode(version) {
  const directory = path.join(cache, `opencode-${version}`)
  if (version === newest2) {
    const name = '@opencode/cli-linux-x64-baseline'
    if (process.platform !== 'linux' || process.arch !== 'x64') fail(`npm has no opencode ${version} for this machine`)
    installPackage(directory, name, version, {})
    return path.join(directory, 'node_modules', name, 'bin/opencode')
  }
  const program = path.join(directory, 'node_modules/.bin/opencode')
  // npm 12 runs the scripts of a package only when it is told to.
  installPackage(directory, 'opencode-ai', version, { allowScripts: { 'opencode-ai': true } })
  return program
}

/** The path of that Node's program: the registry has the official ones, with their headers. */
function installNode(version) {
  const name = `node-${process.platform}-${process.arch}`
  const directory = path.join(cache, `node-${version}`)
  installPackage(directory, name, version, {})
  return path.join(directory, 'node_modules', name, 'bin/node')
}

function installPackage(directory, name, version, more) {
  if (fs.existsSync(path.join(directory, 'installed'))) return
  print(`installing ${name} ${version}`)
  fs.rmSync(directory, { recursive: true, force: true })
  fs.mkdirSync(directory, { recursive: true })
  fs.writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ private: true, ...more }))
  npm(['install', '--no-audit', '--no-fund', `${name}@${version}`], directory, process.execPath)
  fs.writeFileSync(path.join(directory, 'installed'), '')
}

/** A copy of the project as it is now, installed and built by that Node. */
function installProject(version, nodeProgram) {
  const directory = path.join(cache, `project-node-${version}`)
  fs.mkdirSync(directory, { recursive: true })
  for (const name of fs.readdirSync(directory)) {
    if (name !== 'node_modules' && name !== 'installed') fs.rmSync(path.join(directory, name), { recursive: true })
  }
  for (const file of projectFiles()) {
    fs.mkdirSync(path.dirname(path.join(directory, file)), { recursive: true })
    fs.copyFileSync(path.join(root, file), path.join(directory, file))
  }
  const stamp = path.join(directory, 'installed')
  const dependencies = fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === dependencies) {
    npm(['run', '--silent', 'build'], directory, nodeProgram)
    return directory
  }
  print(`installing the project for Node ${version}`)
  fs.rmSync(stamp, { force: true })
  npm(['ci', '--no-audit', '--no-fund'], directory, nodeProgram)
  fs.writeFileSync(stamp, dependencies)
  return directory
}

function projectFiles() {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status !== 0) fail(`git ls-files failed: ${stderr}`)
  return stdout.split('\0').filter((file) => file !== '' && fs.existsSync(path.join(root, file)))
}

function npm(args, directory, nodeProgram) {
  const script = process.env.npm_execpath
  const [program, first] = script === undefined ? ['npm', []] : [nodeProgram, [script]]
  const { status, signal } = spawnSync(program, [...first, ...args], {
    cwd: directory,
    env: environmentFor(nodeProgram),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) fail(`npm ${args.join(' ')} ended with ${signal ?? status} in ${directory}`)
}

/** An environment as if this Node were the machine's own, and npm had not been called. */
function environmentFor(nodeProgram) {
  const clean = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$|KUGETSU_)/i.test(name))
  return {
    ...Object.fromEntries(clean),
    PATH: [path.dirname(nodeProgram), process.env.PATH].join(path.delimiter),
    // Addons are built with this Node's own headers.
    npm_config_nodedir: path.dirname(path.dirname(nodeProgram)),
  }
}

function cacheByDefault() {
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'kugetsu-versions')
}

function line(cells) {
  const widths = [9, 9, 7, 7, 8, 7]
  return cells
    .map((cell, index) => String(cell).padEnd(widths[index] ?? 0))
    .join(' ')
    .trimEnd()
}

function print(text) {
  process.stdout.write(`${text}\n`)
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
