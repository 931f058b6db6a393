/**
 * kugetsu as one executable file (`npm run build:binary`): what lies beside the program otherwise is inside it, by name.
 * See https://nodejs.org/api/single-executable-applications.html.
 */

/** Whether this is one. Node gives the script of such a file the name of the file itself. */
export const isPacked = import.meta.filename === process.execPath

/** The text that was packed under a name; undefined where kugetsu is not one file. Throws for a name that was not. */
export function packedText(name: string): string | undefined {
  return isPacked ? process.getBuiltinModule('node:sea').getAsset(name, 'utf8') : undefined
}

/** The bytes that were packed under a name, in the program's memory: not to be written to. Only where `isPacked`. */
export function packedBytes(name: string): Uint8Array {
  return new Uint8Array(process.getBuiltinModule('node:sea').getRawAsset(name) as ArrayBuffer)
}
