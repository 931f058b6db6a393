import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { documentNames, readDocument } from '../helpers/documents.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const withoutCode = (text: string) =>
  text.replaceAll(/^```.*?^```/gms, '').replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]]/g, ' '))

/** The anchors that a forge gives the headings of a document. */
function anchorsOf(text: string): string[] {
  return [...text.replaceAll(/^```.*?^```/gms, '').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  )
}

/** Links and pictures to within the project, without those that lead elsewhere. */
function linksOf(text: string): string[] {
  const markdown = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  const html = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, target = '']) => target)
  return [...markdown, ...html].filter((target) => !/^[a-z]+:/.test(target))
}

describe.each(documentNames())('%s', (name) => {
  const text = readDocument(name)

  it('has links that lead somewhere', () => {
    const broken = linksOf(text).filter((target) => {
      const [file = '', anchor] = target.split('#')
      const found = file === '' ? path.join(root, name) : path.join(root, path.dirname(name), file)
      if (!fs.existsSync(found)) return true
      return anchor !== undefined && !anchorsOf(fs.readFileSync(found, 'utf8')).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  it('names files of the project that are there', () => {
    const named = [...text.matchAll(/`((?:src|test|scripts|docs|bin)\/[\w./-]+\.(?:ts|js|mjs|md|svg|json))`/g)]
    expect(named.map(([, file = '']) => file).filter((file) => !fs.existsSync(path.join(root, file)))).toEqual([])
  })
})
