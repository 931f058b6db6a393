/** The directory in which kugetsu was called. It may be a worktree, which can be removed while a shell is in it. */
import * as fs from 'node:fs'
import { KugetsuError } from '../core/errors.ts'
import type { Context } from './terminal/context.ts'

/** Where the command was called. Throws KugetsuError `missing_directory` when that was deleted. */
export function workingDirectory({ cwd }: Pick<Context, 'cwd'>): string {
  if (cwd !== undefined) return cwd
  throw new KugetsuError('the directory that kugetsu was called in does not exist any more', {
    hint: 'Go to another one: cd ~',
    code: 'missing_directory',
  })
}

/** Says so when the command has removed the directory in which it was called: most programs fail there. */
export function tellIfRemoved({ cwd, io }: Pick<Context, 'cwd' | 'io'>): void {
  if (cwd === undefined) return
  const there = fs.statSync(cwd, { throwIfNoEntry: false })
  if (there === undefined) io.err('The directory you are in is gone: cd ~\n')
  else if (there.ino !== fs.statSync('.').ino) io.err('The directory you are in was replaced: cd "$PWD"\n')
}
