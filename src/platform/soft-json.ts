/** JSON for completion: a missing or wrong value is empty. */
import { readText } from './files.ts'

export type Fields = Record<string, unknown>

/** The object in a file; `toJson` turns the text into JSON if it is something else. */
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
