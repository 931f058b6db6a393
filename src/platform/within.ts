/** Also part of the plugin inside opencode: plain JavaScript and node:path only. */
import * as path from 'node:path'

/** Whether `place` is `directory` or lies below it, by their absolute paths alone. */
export function isWithin(directory: string, place: string): boolean {
  return place === directory || place.startsWith(directory.endsWith(path.sep) ? directory : directory + path.sep)
}
