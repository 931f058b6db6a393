/** JSON for completion: what is not there, or not as it should be, is empty. */
import { readText } from '../../platform/files.ts'

export type Fields = Record<string, unknown>

/** The object in a file; `parse` is for one in which people write, with comments. */
export function jsonOf(file: string, parse: (text: string) => unknown = JSON.parse): Fields {
  try {
    return at({ file: parse(readText(file) ?? '{}') }, 'file')
  } catch {
    return {}
  }
}

/** The object in a field of an object. */
export function at(object: Fields, name: string): Fields {
  const value = object[name]
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}
