// What dist/ is made of: the command line, split so that a command loads what it uses, and the plugin that runs inside
// opencode. `npm run build` makes it, `npm run dev` makes it again at each change.
import { defineConfig } from 'rolldown'
import { licencesOf } from './scripts/licences.mjs'

const common = {
  platform: 'node',
  external: ['better-sqlite3'],
  moduleTypes: { '.md': 'text' },
  transform: { target: 'node20.19' },
}

/** Puts the licences of all packages that are bundled beside them. */
const licences = {
  name: 'licences',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap(({ moduleIds = [] }) => moduleIds)
    this.emitFile({ type: 'asset', fileName: 'third-party-licenses.txt', source: licencesOf(modules) })
  },
}

// The one default export: rolldown asks for it.
export default defineConfig([
  {
    ...common,
    input: { main: 'src/main.ts' },
    plugins: [licences],
    output: {
      dir: 'dist',
      cleanDir: true,
      // Node 20 takes half as long to load it as ES modules: `list` takes 1.4 times as long as `node -e 0`, and 1.9.
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      // Each file takes time to find: what most commands share is one. 6 (too much in it) and none (50 files) take longer.
      codeSplitting: { groups: [{ name: 'shared', minShareCount: 12 }] },
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
])
