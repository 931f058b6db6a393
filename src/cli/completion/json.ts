/** JSON for completion: what is not there, or not as it should be, is empty. */
import { readText } from '../../platform/files.ts'

export type Fields = Record<string, unknown>

/** The object in a file; `toJson` makes JSON of its text where that is something else. */
export function jsonOf(file: string, toJson = (text: string) => text): Fields {
  try {
    return at({ file: JSON.parse(toJson(readText(file) ?? '{}')) as unknown }, 'file')
  } catch {
    return {}
  }
}

/** The object in a field of an object. */
export function at(object: Fields, name: string): Fields {
  const value = object[name]
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}
