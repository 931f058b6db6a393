import * as fs from 'node:fs'
import * as path from 'node:path'
import { isPacked } from './single-executable.ts'

/**
 * Tells this build of kugetsu on the disk from others: the text changes with an upgrade, even to the same version. One file
 * stands for all, because it names all others. Undefined when there is no build.
 */
export function buildMark(): string | undefined {
  const file = isPacked ? process.execPath : path.join(import.meta.dirname, 'main.cjs')
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  return stat && `${stat.size} ${stat.mtimeMs} ${stat.ino}`
}
