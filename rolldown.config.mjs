// What dist/ is made of: the command line, split so that a command loads what it uses, and the plugins that run inside
// opencode 1 and 2. `npm run build` makes it, `npm run dev` makes it again at each change.
import { defineConfig } from 'rolldown'
import { licencesOf } from './scripts/licences.mjs'

const common = {
  platform: 'node',
  external: ['better-sqlite3'],
  moduleTypes: { '.md': 'text' },
  transform: { target: 'node20.19' },
}

/** The commands that people and scripts call again and again, and what these load when they need it. */
const shortCommands =
  /src\/(cli\/commands\/(agents\/list|queue\/status|queue\/queue-list|set-up\/env)|cli\/shortage|queue\/file-queue)\.ts$/

/** Puts the licences of all bundled packages next to the bundle. */
const licences = {
  name: 'licences',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap(({ moduleIds = [] }) => moduleIds)
    this.emitFile({ type: 'asset', fileName: 'third-party-licenses.txt', source: licencesOf(modules) })
  },
}

/** commander loads child_process for subcommands that are programs of their own: kugetsu has none, and it takes 2 ms. */
const noPrograms = {
  name: 'no-programs',
  resolveId: (source, importer) =>
    source === 'node:child_process' && importer?.includes('/node_modules/commander/') ? 'no-programs' : undefined,
  load: (id) => (id === 'no-programs' ? 'module.exports = {}' : undefined),
}

// The one default export: rolldown asks for it.
export default defineConfig([
  {
    ...common,
    input: { main: 'src/main.ts' },
    // The other files may take more from main.cjs than its entry: otherwise that would be a file more.
    preserveEntrySignatures: 'allow-extension',
    plugins: [licences, noPrograms],
    output: {
      dir: 'dist',
      cleanDir: true,
      // Node 20 loads CommonJS faster than ES modules: an empty file takes 3 ms less.
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      codeSplitting: {
        // Each file takes as long to find and load as 15 kB take to compile. So what short commands use is in few files:
        // what every command uses, what these commands use beside it, and what the other commands of the queue add. A
        // module goes to the first group that it or a module importing it is named in.
        groups: [
          // Not in a file with anything else: no short command reads what needs a schema.
          { name: 'zod', test: 'node_modules/zod/', priority: 4 },
          { name: 'command-line', tags: ['$initial'], priority: 3 },
          { name: 'short-commands', test: shortCommands, priority: 2 },
          { name: 'queue-commands', test: /commands\/queue\/queue\.ts$/, priority: 1 },
        ],
      },
      minify: true,
      sourcemap: true,
      // A stack has files and lines without the sources, which would be half of the package.
      sourcemapExcludeSources: true,
    },
  },
  {
    ...common,
    input: { 'environment-plugin': 'src/plugin/plugin.ts' },
    // Without a map: it is copied into each home.
    output: { dir: 'dist', format: 'esm', minify: true },
  },
  {
    ...common,
    input: { 'environment-plugin-2': 'src/plugin/plugin-2.ts' },
    output: { dir: 'dist', format: 'esm', minify: true },
  },
])
