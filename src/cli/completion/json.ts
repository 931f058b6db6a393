/** JSON for completion: what is not there, or not as it should be, is empty. */
import { readText } from '../../platform/files.ts'

export type Fields = Record<string, unknown>

/** The object in a file. */
export function jsonOf(file: string): Fields {
  try {
    return at({ file: JSON.parse(readText(file) ?? '{}') as unknown }, 'file')
  } catch {
    return {}
  }
}

/** The object in a field of an object. */
export function at(object: Fields, name: string): Fields {
  const value = object[name]
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}
