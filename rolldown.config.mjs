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
    plugins: [licences, noPrograms],
    output: {
      dir: 'dist',
      cleanDir: true,
      // Node 20 loads CommonJS faster than ES modules: `list` takes 40 ms this way, and 48 as ES modules.
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      codeSplitting: {
        groups: [
          // Not in a file with anything else: no short command reads what needs a schema.
          { name: 'zod', test: 'node_modules/zod/', priority: 2 },
          // What every command needs. Each file takes time to find, so it is one file; so is the rest that most commands
          // share. 14 (too much in it: the client of opencode) and no such group (40 files) take longer.
          { name: 'command-line', tags: ['$initial'], priority: 1 },
          { name: 'shared', minShareCount: 15 },
        ],
      },
      minify: true,
      sourcemap: true,
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
