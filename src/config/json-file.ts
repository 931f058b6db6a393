import * as fs from 'node:fs'
import { KugetsuError } from '../core/errors.ts'
import type { Read } from '../core/fields.ts'
import { readState } from '../platform/state-file.ts'

/**
 * Reads a JSON file; undefined when there is none or it is empty. A file without JSON, or one that `check` does not accept,
 * is set aside, with its bytes kept, and named in a KugetsuError `unreadable`; `wrongPlace` names the wrong place in it.
 */
export function readJsonFile<T>(
  file: string,
  check: Read<T>,
  now: Date,
  wrongPlace: (value: unknown) => string | undefined = () => undefined,
): T | undefined {
  if (isEmpty(file)) return undefined
  let place: string | undefined
  const checked = (value: unknown) => {
    const good = check(value)
    if (good === undefined) place = wrongPlace(value)
    return good
  }
  const read = readState(file, checked, now)
  if (read.kind === 'absent') return undefined
  if (read.kind === 'read') return read.value
  const reason = place === undefined ? read.reason : `${place} has not the form it should have`
  throw new KugetsuError(`cannot understand ${file}: ${reason}`, {
    code: 'unreadable',
    hint:
      read.aside === undefined
        ? 'Correct the file.'
        : `It was set aside as ${read.aside}: correct it and move it back, or continue without it.`,
  })
}

/** A file that cannot be read does not count as empty: reading it will report that. */
function isEmpty(file: string): boolean {
  try {
    const stat = fs.statSync(file, { throwIfNoEntry: false })
    return stat?.isFile() === true && stat.size < 16 && fs.readFileSync(file, 'utf8').trim() === ''
  } catch {
    return false
  }
}
