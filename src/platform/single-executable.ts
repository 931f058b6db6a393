/**
 * kugetsu as one executable file (`npm run build:binary`): the files that otherwise lie beside the program are inside it, by
 * name. See https://nodejs.org/api/single-executable-applications.html.
 */

/** Whether this program is such a file. Node gives its script the name of the file itself. */
export const isPacked = import.meta.filename === process.execPath

/** The text that was packed under a name; undefined when kugetsu is not one file. Throws for a name that was not packed. */
export function packedText(name: string): string | undefined {
  return isPacked ? process.getBuiltinModule('node:sea').getAsset(name, 'utf8') : undefined
}

/** The bytes that were packed under a name, in the program's memory: do not write to them. Only when `isPacked`. */
export function packedBytes(name: string): Uint8Array {
  return new Uint8Array(process.getBuiltinModule('node:sea').getRawAsset(name) as ArrayBuffer)
}
