import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const src = fileURLToPath(new URL('../../src', import.meta.url))
/** What runs before the daemon does, and once. */
const before = /^(?:cli|demo)\/|^(?:main|process)\.ts$/

it('nothing that the daemon uses is loaded later than when it starts: an upgrade may have taken it away', () => {
  const files = fs.readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  const late = files.filter((name) => /\bimport\(/.test(fs.readFileSync(path.join(src, name), 'utf8')))
  expect(late.length).toBeGreaterThan(0) // it can see them
  expect(late.filter((name) => !before.test(name))).toEqual([])
})
