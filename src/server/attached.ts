import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { listDirectory, readText } from '../platform/files.ts'
import { anIdentity, isAlive } from '../platform/processes.ts'

/** Whether a person has a program of opencode open on the server; `kugetsu attach` and `login` leave a file meanwhile. */
export function somebodyIsAttached(home: Home): boolean {
  return listDirectory(home.paths.attached).some((name) => {
    const file = path.join(home.paths.attached, name)
    try {
      const identity = anIdentity(JSON.parse(readText(file) ?? ''))
      if (identity !== undefined && isAlive(identity)) return true
    } catch {
      // not a file of ours, or half written
    }
    fs.rmSync(file, { force: true, recursive: true })
    return false
  })
}
