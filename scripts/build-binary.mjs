// npm run build:binary [-- <file>]: kugetsu (dist/ was built before), the addon and the Node that runs this as one
// executable file, dist.binary/kugetsu. See docs/installing.md.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync } from 'node:fs'
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { inject } from 'postject'
import { build } from 'rolldown'
import configurations from '../rolldown.config.mjs'
import { joined, licencesOf } from './licences.mjs'

/** What Node looks for in itself: the last character says whether something was put in. */
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = path.resolve(process.argv[2] ?? path.join(root, 'dist.binary', 'kugetsu'))
const dist = path.join(root, 'dist')
const addon = path.join(root, 'node_modules', 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node')

/** What a package tries for and can do without: Node would warn at each that it does not find in the file. */
const optional = {
  name: 'optional',
  resolveId: (id) => (['bindings', 'supports-color'].includes(id) ? `\0${id}` : undefined),
  load: (id) =>
    id.startsWith('\0')
      ? `throw Object.assign(new Error('${id.slice(1)} is not in this file'), { code: 'MODULE_NOT_FOUND' })`
      : undefined,
}

if (process.platform !== 'linux') fail('one executable file is only made on Linux so far')
if (!readFileSync(process.execPath).includes(fuse)) {
  fail(`${process.execPath} cannot carry a program, as the Node of some distributions: use one from nodejs.org`)
}

const work = mkdtempSync(path.join(tmpdir(), 'kugetsu-binary-'))
const at = (name) => path.join(work, name)
mkdirSync(path.dirname(target), { recursive: true })
const fresh = `${target}.${process.pid}`
try {
  const plugins = ['environment-plugin.js', 'environment-plugin-2.js']
  const assets = Object.fromEntries(plugins.map((name) => [name, path.join(dist, name)]))
  assets['package.json'] = path.join(root, 'package.json')

  copyFileSync(addon, at('addon'))
  strip(at('addon'), '--strip-unneeded')
  const digest = createHash('sha256')
    .update(readFileSync(at('addon')))
    .digest('hex')
  writeFileSync(at('name'), `sqlite-${digest.slice(0, 32)}.node`)
  assets['better_sqlite3.node'] = at('addon')
  assets['better_sqlite3.name'] = at('name')

  await bundle(path.join(root, 'scripts', 'binary-main.ts'), at('main.cjs'))
  const blob = at('blob')
  const config = { main: at('main.cjs'), output: blob, disableExperimentalSEAWarning: true, useCodeCache: true, assets }
  writeFileSync(at('config.json'), JSON.stringify(config))
  execFileSync(process.execPath, ['--experimental-sea-config', at('config.json')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })

  copyFileSync(process.execPath, fresh)
  chmodSync(fresh, 0o755)
  strip(fresh, '--strip-all') // before the injection: afterwards it would remove what was put in
  await quietly(() => inject(fresh, 'NODE_SEA_BLOB', readFileSync(blob), { sentinelFuse: fuse }))
  const said = execFileSync(fresh, ['--version'], { encoding: 'utf8', env: {}, timeout: 60_000 }).trim()
  writeFileSync(`${target}.licenses.txt`, licences())
  renameSync(fresh, target)
  console.log(`${path.relative('', target)}: kugetsu ${said}, ${(statSync(target).size / 1e6).toFixed(1)} MB`)
} finally {
  rmSync(work, { recursive: true, force: true })
  rmSync(fresh, { force: true })
}

/** The licences of all that is in the file; they must be handed on with it. */
function licences() {
  const read = (...parts) => readFileSync(path.join(...parts), 'utf8')
  const ofNode = [path.dirname(process.execPath), '..', 'LICENSE']
  const elsewhere = `https://raw.githubusercontent.com/nodejs/node/${process.version}/LICENSE`
  return joined([
    `kugetsu ${JSON.parse(read(root, 'package.json')).version}\n\n${read(root, 'LICENSE')}`,
    read(dist, 'third-party-licenses.txt'),
    licencesOf([addon]),
    `Node.js ${process.version}\n\n${existsSync(path.join(...ofNode)) ? read(...ofNode) : `See ${elsewhere}`}\n`,
  ])
}

/** All in one script: only Node's own modules can be required. */
async function bundle(input, file) {
  const [{ platform, moduleTypes, transform }] = configurations
  const options = { input, platform, moduleTypes, transform, plugins: [optional] }
  await build({ ...options, output: { file, format: 'cjs', codeSplitting: false, minify: true } })
}

/** Symbols are a tenth of the file; without binutils it stays as large as it is. */
function strip(file, how) {
  try {
    execFileSync('strip', [how, file], { stdio: 'ignore' })
  } catch {
    console.warn(`${path.basename(file)} is not stripped: there is no strip (binutils) here`)
  }
}

/** postject warns, for every such file, about parts that it does not know. */
async function quietly(work) {
  const { log, warn, error } = console
  const said = []
  Object.assign(console, {
    log: (line) => said.push(line),
    warn: (line) => said.push(line),
    error: (line) => said.push(line),
  })
  try {
    await work()
  } catch (cause) {
    throw new Error(`nothing could be put into ${fresh}: ${said.join('\n')}`, { cause })
  } finally {
    Object.assign(console, { log, warn, error })
  }
}

function fail(message) {
  console.error(`Error: ${message}`)
  process.exit(1)
}
