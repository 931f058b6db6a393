// npm runs this after `npm ci`, before `npm pack`, and in the clone of `npm install git+…`. There `--global` is handed down
// to the installation of what builds kugetsu, which so goes nowhere: it is done here again, where it belongs.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

try {
  import.meta.resolve('rolldown')
} catch {
  const npm = process.env.npm_execpath
  if (npm === undefined) throw new Error('the development dependencies are missing: run npm ci')
  const where = ['--global=false', '--location=project', '--include=dev', '--ignore-scripts', '--no-save']
  const { status } = spawnSync(process.execPath, [npm, 'install', ...where], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('the development dependencies could not be installed')
}
await import('./build.mjs')
