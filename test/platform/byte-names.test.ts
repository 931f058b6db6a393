import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  byteName,
  bytesOf,
  charactersOf,
  displayName,
  listNames,
  namesIn,
  placeIn,
  writeNames,
} from '../../src/platform/byte-names.ts'

let directory: string
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-names-'))
})
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

/** Two names with every byte that a name may have, of 126 and 128 bytes. */
const allBytes = Buffer.from(Array.from({ length: 255 }, (_, at) => at + 1).filter((byte) => byte !== 0x2f))
const everyByte = [allBytes.subarray(0, 126), allBytes.subarray(126)].map(byteName)

it('holds names of every byte, in a directory and in a list', () => {
  for (const name of everyByte) fs.writeFileSync(placeIn(directory, name), bytesOf(name))
  const listed = listNames(directory)
  expect(new Set(listed)).toEqual(new Set(everyByte))
  for (const name of listed) expect(fs.readFileSync(placeIn(directory, name))).toEqual(bytesOf(name))
  const list = path.join(directory, 'list')
  writeNames(list, everyByte)
  expect(namesIn(fs.readFileSync(list, 'latin1'))).toEqual(everyByte)
})

it('takes text for its UTF-8, and shows what is none as escapes', () => {
  expect(charactersOf(byteName('\u00e9'))).toBe('\xc3\xa9')
  expect(displayName(byteName('caf\u00e9 \u{1f98a}'))).toBe('caf\u00e9 \u{1f98a}')
  const mixed = Buffer.concat([Buffer.from('\u00e9'), Buffer.from([0xe9, 0x61, 0xf0, 0x9f]), Buffer.from('\u{1f98a}')])
  expect(displayName(byteName(mixed))).toBe('\u00e9\\xe9a\\xf0\\x9f\u{1f98a}')
})
