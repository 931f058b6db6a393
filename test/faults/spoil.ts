/** Ways to spoil a file. Each is made from a seed, so that a case that fails can be made again. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'

/** A random number generator with a seed (mulberry32): from 0 up to, and without, 1. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

export interface Spoiling {
  what: string
  /** Puts the spoiled thing at `file`, where nothing is; `outside` is a directory out of the home for what links point to. */
  put: (file: string, outside: string) => void
}

const bytes = (what: string, make: () => Buffer | string): Spoiling => ({
  what,
  put: (file) => fs.writeFileSync(file, make(), { mode: 0o600 }),
})

/** Every way to spoil a file with this content. `random` decides where and with what. */
export function spoilings(content: string, random: () => number): Spoiling[] {
  const whole = Buffer.from(content)
  const upTo = (limit: number) => Math.floor(random() * limit)
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => upTo(256)))
  const flipped = () => {
    const copy = Buffer.from(whole)
    for (let times = 1 + upTo(3); times > 0 && copy.length > 0; times--) copy[upTo(copy.length)]! ^= 1 << upTo(8)
    return copy
  }
  const lengths = [0, 1, 2, whole.length >> 2, whole.length >> 1, whole.length - 2, whole.length - 1]
  const cuts = [...lengths, ...Array.from({ length: 5 }, () => upTo(whole.length + 1))]
  return [
    ...[...new Set(cuts)]
      .filter((length) => length >= 0 && length < Math.max(1, whole.length))
      .map((length) => bytes(`cut to ${length} bytes`, () => whole.subarray(0, length))),
    ...[16, 300, 5000].map((length) => bytes(`${length} random bytes`, () => noise(length))),
    ...Array.from({ length: 8 }, () => bytes('flipped bits', flipped)),
    bytes('zeros', () => Buffer.alloc(Math.max(1, whole.length))),
    bytes('zeros in its second half', () => Buffer.concat([whole.subarray(0, whole.length >> 1), Buffer.alloc(300)])),
    bytes('twice over', () => Buffer.concat([whole, whole])),
    bytes('something behind it', () => Buffer.concat([whole, Buffer.from('}\n')])),
    bytes('a mark in front and carriage returns', () => `\ufeff${content.replaceAll('\n', '\r\n')}`),
    bytes('UTF-16', () => Buffer.from(content, 'utf16le')),
    bytes('a broken character', () =>
      Buffer.concat([whole.subarray(0, whole.length >> 1), Buffer.from([0xff, 0xc3]), whole]),
    ),
    bytes('escape sequences', () => '\u001b]0;title\u0007\u001b[2J\u202e\u009b31m'.repeat(20)),
    ...jsonShapes(content, random),
    { what: 'a directory', put: (file) => fs.mkdirSync(file) },
    {
      what: 'a directory with files in it',
      put: (file) => {
        fs.mkdirSync(file)
        fs.writeFileSync(path.join(file, 'inner'), 'keep me')
      },
    },
    { what: 'a link to a good file out of the home', put: linkTo('good', content) },
    { what: 'a link to a bad file out of the home', put: linkTo('bad', 'neither\0this nor that') },
    { what: 'a link to an empty file out of the home', put: linkTo('empty', '') },
    { what: 'a link to a directory out of the home', put: (file, outside) => fs.symlinkSync(outside, file) },
    { what: 'a link to nowhere', put: (file, outside) => fs.symlinkSync(path.join(outside, 'nowhere'), file) },
    { what: 'a link to itself', put: (file) => fs.symlinkSync(path.basename(file), file) },
    { what: 'a link to a device without an end', put: (file) => fs.symlinkSync('/dev/zero', file) },
    { what: 'a link to what cannot be read', put: (file) => fs.symlinkSync('/proc/self/mem', file) },
    { what: 'a pipe', put: (file) => void execFileSync('mkfifo', [file]) },
    {
      what: 'mode 0000',
      put: (file) => {
        fs.writeFileSync(file, whole)
        fs.chmodSync(file, 0)
      },
    },
    {
      what: '100 MB',
      put: (file) => {
        fs.writeFileSync(file, whole)
        fs.truncateSync(file, 100_000_000)
      },
    },
  ]
}

function linkTo(name: string, content: string): Spoiling['put'] {
  return (file, outside) => {
    const target = path.join(outside, name)
    fs.writeFileSync(target, content)
    fs.symlinkSync(target, file)
  }
}

/** JSON of another shape; for every file, because those that are no JSON should not be thrown by it either. */
function jsonShapes(content: string, random: () => number): Spoiling[] {
  const deep = (open: string, close: string) => open.repeat(50_000) + close.repeat(50_000)
  const words = [
    'null',
    'true',
    '0',
    '-0',
    '1e999',
    '"text"',
    '[]',
    '{}',
    '[[]]',
    '{"a":1}',
    '{"__proto__":{"type":"x"}}',
  ]
  const whole = [...words, deep('[', ']'), deep('{"a":', '}').replace(':}', ':1}'), `"${'\\u0000'.repeat(1000)}"`]
  const shapes = whole.map((text) => bytes(`the JSON ${text.slice(0, 30)}`, () => text))
  const value = parsed(content)
  if (value === undefined) return shapes
  const wrong: unknown[] = [null, 0, -1, 1.5, 1e308, 2 ** 60, '', 'x', true, [], {}, [null], { a: { b: [] } }]
  const withField = (name: string, given: string) => {
    const { [name]: _, ...others } = value
    return JSON.stringify(others).replace(
      /\}$/,
      `${Object.keys(others).length > 0 ? ',' : ''}${JSON.stringify(name)}:${given}}`,
    )
  }
  const fields = Object.keys(value).map((name) => {
    const given = JSON.stringify(wrong[Math.floor(random() * wrong.length)])
    return bytes(`its field ${name} as ${given}`, () => withField(name, given))
  })
  const added = {
    'depth in a field that is not known': withField('unknown', deep('[', ']')),
    'a field twice': `{${Object.keys(value)
      .map((name) => `${JSON.stringify(name)}:null`)
      .join()},${JSON.stringify(value).slice(1)}`,
    'a prototype': withField('__proto__', '{"state":"x","run":{}}'),
    'a constructor': withField('constructor', '{"prototype":{"x":1}}'),
    'another version': withField('version', '99'),
    'a number without an end': withField('cost', '1e400'),
    'text that is half a character': withField('note', '"\\ud800"'),
  }
  return [...shapes, ...fields, ...Object.entries(added).map(([what, text]) => bytes(what, () => text))]
}

function parsed(content: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(content)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
