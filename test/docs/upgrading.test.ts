import { expect, it } from 'vitest'
import { linesOfTable, readDocument } from '../helpers/documents.ts'

const document = readDocument('docs/upgrading.md')
const rows = ['| read as it is |', '| changes |'].flatMap((header) => linesOfTable(document, header))
/** Of each row the tests that show it: a file and the name of a test in it. */
const claims = rows.map(([claim = '', shown = '']) => ({
  claim,
  tests: shown.split('; ').map((one) => /^`(test\/[\w/.-]+)`: (.+)$/.exec(one)),
}))

it('docs/upgrading.md names a test for each of its claims, which is there', () => {
  expect(claims.length).toBeGreaterThanOrEqual(12)
  for (const { claim, tests } of claims) {
    for (const test of tests) {
      const [, file = '', name = ''] = test ?? []
      expect(file, `a test for: ${claim}`).not.toBe('')
      expect(readDocument(file), `the test of ${file} for: ${claim}`).toContain(`'${name}'`)
    }
  }
})

it('docs/changelog.md has the version of package.json', () => {
  const { version } = JSON.parse(readDocument('package.json')) as { version: string }
  expect(readDocument('docs/changelog.md')).toMatch(new RegExp(`^## ${version.replaceAll('.', '\\.')}$`, 'm'))
})
