import * as fs from 'node:fs'

/** Whether `file` is a program that this user may run: a file, or a link to one, with the permission. Never throws. */
export function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}
