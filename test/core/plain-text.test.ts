import { expect, test } from 'vitest'
import { plainLine, plainText } from '../../src/core/plain-text.ts'

test('colours, cursor movements and titles are taken out', () => {
  expect(
    plainText('\x1b[1;31mred\x1b[0m \x1b[2Kline\x1b[10;10H \x1b]0;title\x07after \x1b]8;;http://x\x1b\\link'),
  ).toBe('red line after link')
})

test('what is left of control characters is shown, newlines and tabs are kept', () => {
  expect(plainText('a\x1bc\x07\b\0\x7f\tb\nc')).toBe('a␛c␇␈␀␡\tb\nc')
  expect(plainText('\x1b]0;never closed')).toBe('␛]0;never closed')
})

test('a carriage return hides nothing', () => {
  expect(plainText('rm -rf /\rls      \r\nnext')).toBe('rm -rf /\nls      \nnext')
})

test('eight-bit controls and marks that reorder text are made visible', () => {
  expect(plainText('a\u009b31mb')).toBe('ab')
  expect(plainText('a\u0085b\u202ec\u2066d')).toBe('a\ufffdb\ufffdc\ufffdd')
})

test('other languages and emoji stay', () => {
  expect(plainText('żółć 日本語 👩‍💻')).toBe('żółć 日本語 👩‍💻')
})

test('a line is one line and not longer than asked', () => {
  expect(plainLine('  a\n\tb  ', 20)).toBe('a b')
  expect(plainLine('x'.repeat(1_000_000), 20)).toBe(`${'x'.repeat(19)}…`)
})

test('a text is cut between characters, and half of one is none', () => {
  for (const length of [20, 21, 22, 23]) expect(plainLine('👩‍💻 '.repeat(1_000), length)).toBe('👩‍💻 👩‍💻 👩‍💻…')
  expect(plainLine('half \ud83d of one', 50)).toBe('half \ufffd of one')
  expect(plainText('\ud83d\nb\ude00')).toBe('\ufffd\nb\ufffd')
  const pieces = `${'x'.repeat(999_999)}👍${'y'.repeat(1_000_000)}`
  expect(plainText(pieces)).toBe(pieces)
})

test('no bytes at all get a control character through', () => {
  const all = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code)).join('')
  const hostile = [...all].map((character) => `\x1b${character}[${character}`).join('')
  // oxlint-disable-next-line no-control-regex
  expect(plainText(all + hostile)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/)
})

test('text of any length is made plain, a hundred million control characters too', () => {
  const plain = plainText(Buffer.alloc(140_000_000).toString('latin1'))
  expect([plain.length, plain.slice(0, 2), plain.slice(-2)]).toEqual([140_000_000, '␀␀', '␀␀'])
  expect(plainText(`${'x'.repeat(999_999)}\r\ny`)).toBe(`${'x'.repeat(999_999)}\ny`)
})
