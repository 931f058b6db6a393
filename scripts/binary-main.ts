/** Where kugetsu begins as one executable file (see build-binary.mjs). */
import { createRequire } from 'node:module'
import * as path from 'node:path'
import driver from 'better-sqlite3'
import { main } from '../src/main.ts'
import { useDriver } from '../src/platform/sqlite.ts'

const [, , command, file, ...rest] = process.argv

if (command === '__node' && file !== undefined) {
  // For the demo, because its project is tested with node: runs a script as Node would.
  const script = path.resolve(file)
  process.argv = [process.execPath, script, ...rest]
  createRequire(script)(script)
} else {
  useDriver(driver)
  void main(process.argv.slice(2))
}
