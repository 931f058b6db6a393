// Builds dist/: the command line as CommonJS (Node loads it in half the time of ES modules), split so that a command
// loads only what it uses; and the plugin that runs inside opencode, one ES module that needs nothing else.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

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

/** A namespace import of a module of Node's would be copied, property by property, in every chunk: take the module itself. */
const plainBuiltins = {
  name: 'plain-builtins',
  transform: (code, id) =>
    id.endsWith('.ts')
      ? {
          code: code.replace(
            /^import \* as (\w+) from '(node:[\w/]+)'$/gm,
            "const $1 = process.getBuiltinModule('$2')",
          ),
          map: null, // every line stays where it is
        }
      : undefined,
}

async function bundle(input, output, plugins = []) {
  const built = await rolldown({
    input,
    platform: 'node',
    external: ['better-sqlite3'],
    plugins,
    transform: { target: 'node20.19' },
  })
  const { output: chunks } = await built.write({ minify: true, sourcemap: true, ...output })
  await built.close()
  // What starts from the code cache cannot import(); the bundler makes require() of those of our own files.
  const offender = chunks.find(({ code = '' }) => output.format === 'cjs' && /[^.\w]import\s*\(/.test(code))
  if (offender !== undefined) throw new Error(`${offender.fileName} has an import() that would fail at run time`)
}

// Built beside and then put in place: a failed build leaves the last good one.
const fresh = `dist.${process.pid}`
try {
  await bundle(
    { main: 'src/main.ts' },
    {
      dir: fresh,
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      // Each file costs a quarter of a millisecond to find and open: one for what every command needs, and one for
      // what reading the sessions needs.
      codeSplitting: {
        groups: [
          {
            name: 'ground',
            test: /rolldown.runtime|commander|src.(main|cli.(program|render-error|output|definitions)|daemon.names|core.(errors|issue-ref|once)|config.(paths|settings|config-file)|platform.files)\./,
          },
          {
            name: 'reading',
            test: /zod|src.(cli.commands.list|platform.(processes|locks|sqlite)|sessions.(record|store|slots|view)|opencode.server-record)\./,
          },
        ],
      },
    },
    [lazyChildProcess, plainBuiltins],
  )
  await bundle(
    { 'environment-plugin': 'src/agents/environment-plugin.ts' },
    { dir: fresh, format: 'esm', entryFileNames: '[name].js' },
  )
  rmSync('dist', { recursive: true, force: true })
  renameSync(fresh, 'dist')
} finally {
  rmSync(fresh, { recursive: true, force: true })
}

// What every command uses comes from the last one, a short one: there it counts most.
const home = mkdtempSync(path.join(tmpdir(), 'kugetsu-build-'))
for (const command of [['start', 'me/app#1', 'nothing'], ['list'], []]) {
  const env = { ...process.env, KUGETSU_DIR: path.join(home, 'none') }
  const { signal, error } = spawnSync(process.execPath, ['scripts/code-cache.cjs', ...command], {
    env,
    stdio: 'ignore',
  })
  if (signal ?? error) throw new Error(`the code cache was not made: ${signal ?? error}`)
}
rmSync(home, { recursive: true, force: true })
