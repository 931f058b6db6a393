import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { endOf, fit, startOf, widthOf } from '../../src/core/columns.ts'

const family = '👨‍👩‍👧‍👦'
const flag = '🇩🇪'
const accented = 'e\u0301'

describe('the width of a text', () => {
  it.each([
    ['', 0],
    ['plain text', 10],
    ['Größe', 5],
    [accented, 1],
    ['日本語', 6],
    ['ｱｲｳ', 3],
    ['ＡＢ', 4],
    ['한국', 4],
    ['𠮷野家', 6],
    ['ㄅㄆ', 4],
    ['䷀', 2],
    ['न', 1],
    ['½', 1],
    [family, 2],
    [flag, 2],
    ['👍🏽', 2],
    ['✅', 2],
    ['❤️', 2],
    ['…', 1],
    ['▶ │', 3],
    ['#1', 2],
  ])('%s is %i columns', (text, columns) => {
    expect(widthOf(text)).toBe(columns)
  })
})

it('the width of a character does not depend on whether all of the text is simple', () => {
  for (let code = 0; code < 0x300; code++) {
    const character = String.fromCharCode(code)
    expect(widthOf(character), code.toString(16)).toBe(widthOf(`日 ${character}`) - 3)
  }
  expect(widthOf('日 …←')).toBe(5)
})

describe('a text that is cut', () => {
  it('has whole characters', () => {
    const text = `ab${family}cd`
    for (let length = 2; length < 2 + family.length; length++) expect(startOf(text, length)).toBe('ab')
    expect(startOf(text, 2 + family.length)).toBe(`ab${family}`)
    for (let length = 2; length < 2 + family.length; length++) expect(endOf(text, length)).toBe('cd')
    expect(endOf(text, 2 + family.length)).toBe(`${family}cd`)
    expect(startOf(`x${accented}`, 2)).toBe('x')
    expect(startOf('x\r\ny', 2)).toBe('x')
  })

  it('is cut where one character never ends', () => {
    const endless = `e${'\u0301'.repeat(5_000)}`
    expect(startOf(endless, 1_000)).toHaveLength(1_000)
    expect(endOf(endless, 1_000)).toHaveLength(1_000)
  })

  it('is as it was, no longer than told, a part of it, and well formed', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', ' ', accented, '日', '👍🏽', family, flag, '\u0301', '\n') })
    fc.assert(
      fc.property(texts, fc.nat(40), (text, length) => {
        const [start, end] = [startOf(text, length), endOf(text, length)]
        expect(text.startsWith(start) && text.endsWith(end)).toBe(true)
        expect(Math.max(start.length, end.length)).toBeLessThanOrEqual(length)
        expect(start.isWellFormed() && end.isWellFormed()).toBe(true)
        expect(text.length > length || (start === text && end === text)).toBe(true)
      }),
    )
  })
})

describe('a cell', () => {
  it('has its columns, whatever is in it', () => {
    expect(fit('日本', 6)).toBe('日本  ')
    expect(fit('日本語', 5)).toBe('日本…')
    expect(fit('日本語', 4)).toBe('日… ')
    expect(fit('日本語', 4, 'end')).toBe('…語 ')
    expect(fit('/long/path', 6, 'end')).toBe('…/path')
    const texts = fc.string({ unit: fc.constantFrom('a', ' ', accented, '日', '👍🏽', family, flag) })
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 30 }), (text, columns) => widthOf(fit(text, columns)) === columns),
    )
  })
})
