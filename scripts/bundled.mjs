// Builds a program of test/ (Node 20 runs no TypeScript) and runs it with a clean environment: variables that change how a
// Node starts (certificates to load, options) would be measured in every process.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs test/<name>/main.ts with these arguments, and ends with its exit code. */
export async function runBundled(name, args) {
  // As far below the root as the sources, which look for bin/ and node_modules/ relative to their own place.
  const file = path.join(root, 'node_modules', '.cache', `kugetsu-${name}-${process.pid}.mjs`)
  mkdirSync(path.dirname(file), { recursive: true })
  const bundle = await rolldown({
    input: path.join(root, 'test', name, 'main.ts'),
    platform: 'node',
    external: ['better-sqlite3'],
    moduleTypes: { '.md': 'text' },
  })
  await bundle.write({ file, format: 'esm', codeSplitting: false })
  await bundle.close()
  // The driver finds the plugins beside its own file.
  for (const plugin of ['environment-plugin.js', 'environment-plugin-2.js']) {
    copyFileSync(path.join(root, 'dist', plugin), path.join(path.dirname(file), plugin))
  }

  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_|npm_)/.test(name)))
  // The first Ctrl-C is for the program, which ends what it has started.
  process.on('SIGINT', () => {})
  const { status, signal } = spawnSync(process.execPath, [file, ...args], { env, stdio: 'inherit' })
  rmSync(file, { force: true })
  process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 1)
}
