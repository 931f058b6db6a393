// Builds dist/: the command line as CommonJS (Node loads it in half the time of ES modules), split so that a command
// loads only what it uses; and the plugin that runs inside opencode, one ES module that needs nothing else.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import * as zod from 'zod/mini'
import { licencesOf } from './licences.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

/** commander loads child_process (and net with it) for a feature that is not used here: give it one that loads on use. */
const lazyChildProcess = {
  name: 'lazy-child-process',
  resolveId: (id, importer) =>
    id === 'node:child_process' && /node_modules.commander/.test(importer ?? '') ? '\0child-process' : undefined,
  load: (id) =>
    id === '\0child-process'
      ? "module.exports = { spawn: (...args) => process.getBuiltinModule('node:child_process').spawn(...args) }"
      : undefined,
}

/** Modules of Node's that take up to two milliseconds to load, which is much for a command of thirty. */
const slow = /^node:(?:child_process|crypto|http|module|net|os|timers\/promises)$/

/**
 * A namespace import of a module of Node's would be copied, property by property, in every chunk: take the module
 * itself. What comes from a slow one is looked up when it is used. Every line stays where it is.
 */
const plainBuiltins = {
  name: 'plain-builtins',
  transform: (code, id) =>
    id.endsWith('.ts')
      ? {
          code: code
            .replace(/^import \* as (\w+) from '(node:[\w/]+)'$/gm, (_, name, from) =>
              slow.test(from)
                ? `const ${name} = new Proxy({}, { get: (_, each) => ${builtin(from)}[each] })`
                : `const ${name} = ${builtin(from)}`,
            )
            .replace(/^import \{ ([\w, ]+) \} from '(node:[\w/]+)'$/gm, (whole, names, from) =>
              slow.test(from)
                ? functionsOf(names)
                    .map(([name, ours]) => calledOn(from, name, ours))
                    .join('; ')
                : whole,
            ),
          map: null,
        }
      : undefined,
}

/**
 * The SQLite driver's JavaScript is in dist/ as well (src/platform/sqlite.ts), in a file that is loaded when it is used;
 * its addon stays where npm has built it. What takes either is there in CommonJS already.
 */
const ownDriver = {
  name: 'own-driver',
  resolveId: (id) => {
    if (id === 'better-sqlite3') return { id: './better-sqlite3.cjs', external: true }
    return /^better-sqlite3.*\.node$/.test(id) ? { id, external: true } : undefined
  },
  transform: (code, id) => {
    if (!/platform.sqlite\.ts$/.test(id)) return undefined
    const parts = code.split('createRequire(import.meta.url)(')
    if (parts.length !== 3) throw new Error(`${id} loads the driver in another way than the build knows`)
    return { code: parts.join('require('), map: null }
  },
}

/**
 * To load zod takes as long as to read dozens of files, and most commands only read what is as kugetsu writes it, which
 * is checked by hand. So it is loaded when a schema is made, which is at its first use (src/core/once.ts), and only
 * what is used of it.
 */
const lazySchemas = {
  name: 'lazy-schemas',
  resolveId: (id) => (id === 'used-of-zod' ? { id: './schemas.cjs', external: true } : undefined),
  transform: (code, id) =>
    id.endsWith('.ts')
      ? {
          code: code.replace(
            /^import \* as z from 'zod\/mini'$/m,
            "let zod; const z = new Proxy({}, { get: (_, each) => (zod ??= require('used-of-zod'))[each] })",
          ),
          map: null,
        }
      : undefined,
}

/** dist/schemas.cjs, a file of its own so that it is not even opened before. */
const usedOfZod = {
  name: 'used-of-zod',
  resolveId: (id) => (id === 'used-of-zod' ? id : undefined),
  load: (id) => (id === 'used-of-zod' ? `export { ${namesOfZod().join(', ')} } from 'zod/mini'` : undefined),
}

/** What src/ calls of it; the names of types are none of it at run time. */
function namesOfZod() {
  const files = readdirSync('src', { recursive: true }).filter((name) => name.endsWith('.ts'))
  const texts = files.map((name) => readFileSync(path.join('src', name), 'utf8'))
  const names = texts
    .filter((text) => text.includes("from 'zod/mini'"))
    .flatMap((text) => [...text.matchAll(/\bz\.(\w+)/g)].map(([, name]) => name))
  return [...new Set(names)].filter((name) => name in zod).sort()
}

/** For code splitting: the package of that name, and those of our own files. */
const of = (name, ours) => (id) => {
  const [, installed] = /.*[/\\]node_modules[/\\](.*)/.exec(id) ?? []
  return installed === undefined ? ours.test(id) : installed.startsWith(name)
}

const builtin = (from) => `process.getBuiltinModule('${from}')`
const calledOn = (from, name, ours) => `const ${ours} = (...args) => ${builtin(from)}.${name}(...args)`

/** What is imported, each with what it is called here. */
function functionsOf(names) {
  const values = names.split(', ').filter((name) => !name.startsWith('type '))
  if (values.some((name) => !/^[a-z]/.test(name))) throw new Error(`only functions can wait to be loaded: ${names}`)
  return values.map((each) => each.split(' as ')).map(([name, ours = name]) => [name, ours])
}

async function bundle(input, output, plugins = [], checks = {}) {
  const built = await rolldown({
    input,
    platform: 'node',
    preserveEntrySignatures: 'allow-extension',
    external: ['bindings'],
    moduleTypes: { '.md': 'text' },
    plugins,
    checks,
    transform: { target: 'node20.19' },
  })
  const { output: chunks } = await built.write({ minify: true, sourcemap: true, charset: 'ascii', ...output })
  await built.close()
  // What starts from the code cache cannot import(); the bundler makes require() of those of our own files.
  const offender = chunks.find(({ code = '' }) => output.format === 'cjs' && /[^.\w]import\s*\(/.test(code))
  if (offender !== undefined) throw new Error(`${offender.fileName} has an import() that would fail at run time`)
  return chunks.flatMap(({ moduleIds = [] }) => moduleIds)
}

// Built beside and then put in place: a failed build leaves the last good one.
const fresh = `dist.${process.pid}`
try {
  const modules = await bundle(
    { main: 'src/main.ts' },
    {
      dir: fresh,
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      // Each file costs a quarter of a millisecond to find and open: one for what every command needs, one for what
      // reading the sessions needs, and one for the queue.
      codeSplitting: {
        groups: [
          {
            name: 'ground',
            test: of(
              'commander',
              /src.(main|cli.(program|render-error|output|definitions)|daemon.names|core.(errors|issue-ref|once)|config.(paths|settings|config-file)|platform.(files|packed))\./,
            ),
          },
          {
            name: 'reading',
            test: /src.(cli.commands.list|platform.(processes|locks|sqlite|private-file)|sessions.(record|store|slots|view)|opencode.server-record)\./,
          },
          {
            name: 'queue',
            test: /src.(cli.(enqueue|refs|commands.(queue|status))|queue.\w+(-\w+)?|daemon.(control|socket|dispatching)|sessions.(base-session|journal|message|session-name)|core.(issue-names|plain-text|within-agent)|config.(git-servers|remote-url))\./,
          },
        ],
      },
    },
    [lazyChildProcess, ownDriver, lazySchemas, plainBuiltins],
  )
  // The daemon shares nothing with the commands: it lives for days, and is to hold little. Begun by bin/kugetsu.js, which
  // knows its files by their names. What it needs once there is something to do is one of them.
  const ofDaemon = await bundle(
    { daemon: 'src/daemon-main.ts' },
    {
      dir: fresh,
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: 'daemon-[name]-[hash].cjs',
      sourcemap: false, // with --debug it is begun by main.cjs
    },
    [lazyChildProcess, ownDriver, lazySchemas, plainBuiltins],
    { ineffectiveDynamicImport: false }, // what waits in a command is a part of what is loaded for work
  )
  modules.push(...ofDaemon)
  await bundle(
    { 'environment-plugin': 'src/agents/environment-plugin.ts' },
    { dir: fresh, format: 'esm', entryFileNames: '[name].js', sourcemap: false },
  )
  modules.push(
    ...(await bundle(
      { 'better-sqlite3': 'better-sqlite3' },
      { dir: fresh, format: 'cjs', entryFileNames: '[name].cjs', sourcemap: false },
    )),
  )
  modules.push(
    ...(await bundle(
      { schemas: 'used-of-zod' },
      { dir: fresh, format: 'cjs', entryFileNames: '[name].cjs', sourcemap: false }, // nothing of ours is in it
      [usedOfZod],
    )),
  )
  writeFileSync(path.join(fresh, 'third-party-licenses.txt'), licencesOf(modules))
  rmSync('dist', { recursive: true, force: true })
  renameSync(fresh, 'dist')
} finally {
  rmSync(fresh, { recursive: true, force: true })
}

// Run in a home that has a little of everything, so that what they use is kept. Each keeps what those before it have
// kept, and what every command uses comes from the last one, a short one: there it counts most.
const home = mkdtempSync(path.join(tmpdir(), 'kugetsu-build-'))
mkdirSync(path.join(home, 'sessions'))
writeFileSync(path.join(home, 'index.json'), '{ "base": "ses_none", "pm_agent": "ses_none", "issues": {} }')
for (const name of ['base', 'pm-agent']) {
  writeFileSync(
    path.join(home, 'sessions', `${name}.json`),
    '{ "type": "base", "opencode_session_id": "ses_none", "state": "idle" }',
  )
}
const commands = ['queue enqueue me/app#1 nothing', 'queue list', 'queue stats', 'status', 'list']
keepCode(path.join(home, 'none'), ['start', 'me/app#1', 'nothing'])
keepCode(home, ['supervise']) // the daemon: looks once, and ends because nothing is to be done
for (const command of commands) keepCode(home, command.split(' '))
keepCode(home, []) // the files that none of them used
rmSync(home, { recursive: true, force: true })

function keepCode(directory, command) {
  const env = { ...process.env, KUGETSU_DIR: directory }
  const { signal, error } = spawnSync(process.execPath, ['scripts/code-cache.cjs', ...command], {
    env,
    stdio: 'ignore',
    timeout: 60_000,
  })
  if (signal ?? error) throw new Error(`the code cache was not made: ${signal ?? error}`)
}
