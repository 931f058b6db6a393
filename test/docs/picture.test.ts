/** The picture of the README is drawn by `npm run picture`; here only whether it still shows what the demo says. */
import * as fs from 'node:fs'
import { describe, expect, it } from 'vitest'

const read = (name: string) => fs.readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')

/** What the demo says in its own words, from the first step to the last that are in the picture, by its source. */
function narration(): RegExp[] {
  const source = read('src/demo/play.ts')
  const shown = source.slice(
    source.indexOf("step('One command puts an agent on an issue')"),
    source.indexOf("step('Clean up')"),
  )
  const literals = [...shown.matchAll(/(?:step|say|remark)\(\s*(['`])(.*?)\1,?\s*\)/gs)]
  return literals.map(([, , text = '']) => {
    const parts = text.split(/\$\{[^}]*\}/).map((part) => part.replaceAll(/[.*+?^()|[\]\\]/g, String.raw`\$&`))
    return new RegExp(parts.join(String.raw`\S+`).replaceAll(/\s+/g, String.raw`\s+`))
  })
}

describe('docs/demo.svg', () => {
  const picture = read('docs/demo.svg')
  const text = picture
    .replace(/<style>.*<\/style>/s, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')

  it('shows what the demo says', () => {
    const said = narration()
    expect(said.length).toBeGreaterThanOrEqual(11)
    expect(
      said.filter((line) => !line.test(text)).map(String),
      'not in the picture: "npm run picture" draws it anew',
    ).toEqual([])
  })

  it('shows commands with what they print', () => {
    for (const part of [
      '/tea/shop.git#1 \\ "Two cups cost',
      '$ kugetsu start local/tea/shop#3',
      '$ kugetsu logs -f shop#1',
    ])
      expect(text.replaceAll(/\s+/g, ' ')).toContain(part)
    expect(text).toContain('Error: no free slot')
    expect(text).toMatch(/finished after \d+ s/)
  })

  it('is a picture without links, scripts or anything from elsewhere, for light and dark', () => {
    expect(picture).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
    expect(picture).not.toMatch(/<script|<a |href|url\(|@import|@font-face/)
    expect(picture).toContain('@media (prefers-color-scheme: dark)')
  })
})
