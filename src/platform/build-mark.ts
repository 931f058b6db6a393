import * as fs from 'node:fs'
import * as path from 'node:path'
import { isPacked } from './single-executable.ts'

/**
 * Tells this build of kugetsu on the disk from others: another text after an upgrade, also one to the same version. The
 * file that names all others is taken for them. Undefined where there is no build.
 */
export function buildMark(): string | undefined {
  const file = isPacked ? process.execPath : path.join(import.meta.dirname, 'main.cjs')
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  return stat && `${stat.size} ${stat.mtimeMs} ${stat.ino}`
}
