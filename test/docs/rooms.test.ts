/** The folders of src/, held against the list of docs/contributing.md: what imports what, and how many files they have. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const most = 24

const document = fs.readFileSync(path.join(root, 'docs', 'contributing.md'), 'utf8')
const [list = ''] = /^src\/main[^]*?^```$/m.exec(document) ?? []
/** As `main.ts`, `cli/` and `cli/definitions/`, in the order of the document. */
const rooms = [...list.matchAll(/^(?:src\/| {2})([\w/.-]+) {1,}\S/gm)].map(([, room = '']) => room)
const files = fs
  .readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))

/** The room that a file is in: the longest name that it begins with. */
function roomOf(file: string): string | undefined {
  return rooms.filter((room) => file.startsWith(room)).sort((a, b) => b.length - a.length)[0]
}

function importsOf(file: string): string[] {
  const text = fs.readFileSync(path.join(root, 'src', file), 'utf8')
  const relative = [...text.matchAll(/\b(?:from|import\()\s*'(\.\.?\/[^']+\.ts)'/g)].map(([, given = '']) => given)
  return relative.map((given) => path.normalize(path.join(path.dirname(file), given)))
}

it('each file is in a room of the list, and each room is there', () => {
  expect(rooms.length).toBeGreaterThan(20)
  expect(files.filter((file) => roomOf(file) === undefined)).toEqual([])
  expect(rooms.filter((room) => !fs.existsSync(path.join(root, 'src', room)))).toEqual([])
})

it('imports run downwards', () => {
  const upwards = files.flatMap((file) => {
    const from = roomOf(file) ?? ''
    // A folder and those within it are one, but for those that the list puts in an order of their own.
    const isAbove = (to: string) => rooms.indexOf(to) < rooms.indexOf(from) && !from.startsWith(to)
    return importsOf(file)
      .filter((each) => isAbove(roomOf(each) ?? ''))
      .map((each) => `${file} imports ${each}`)
  })
  expect(upwards).toEqual([])
})

it(`no folder has more than ${most} files`, () => {
  const counts = new Map<string, number>()
  for (const file of files) counts.set(path.dirname(file), (counts.get(path.dirname(file)) ?? 0) + 1)
  expect(Math.max(...counts.values())).toBeGreaterThan(5)
  expect([...counts].filter(([, count]) => count > most)).toEqual([])
})

describe('the drivers', () => {
  const drivers = /^opencode2?\//

  it('are imported by nothing but the choice between them, and the plugin that runs inside', () => {
    const outsiders = files.filter((file) => !drivers.test(file) && !/^(plugin\/|driver\/choose\.ts$)/.test(file))
    expect(outsiders.flatMap((file) => importsOf(file).filter((each) => drivers.test(each)))).toEqual([])
  })

  it('alone name a route, an event, a table or a part of a message of opencode', () => {
    const words = [
      /['"`]\/(session|config|instance|permission|question|global)\//,
      /'(message|session|permission|question|server)\.(updated|part|idle|error|status|asked|created|deleted)/,
      /\b(FROM|UPDATE|INTO) (session|message|part|session_v2|session_message)\b/,
      /\b(messageID|sessionID|parentID|callID|prompt_async)\b/,
    ]
    const found = files
      .filter((file) => !drivers.test(file) && !file.startsWith('plugin/') && !file.startsWith('demo/'))
      .flatMap((file) => {
        const text = fs.readFileSync(path.join(root, 'src', file), 'utf8')
        return words.flatMap((word) => word.exec(text)?.[0] ?? []).map((word) => `${file}: ${word}`)
      })
    expect(found).toEqual([])
    const own = fs.readFileSync(path.join(root, 'src/opencode/api/routes.ts'), 'utf8')
    expect(words.some((word) => word.test(own))).toBe(true)
  })
})
