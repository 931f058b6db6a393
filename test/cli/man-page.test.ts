import * as fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { manPage } from '../../scripts/man-page.ts'
import { createProgram } from '../../src/cli/program.ts'
import { createFakeContext } from '../helpers/fake-context.ts'

const context = createFakeContext()
afterAll(() => context.cleanup())

it('the manual page is that of the commands as they are (npm run man writes it anew)', async () => {
  const file = fileURLToPath(new URL('../../man/kugetsu.1', import.meta.url))
  expect(fs.existsSync(file)).toBe(true) // or it would be written, and be right
  const { version } = JSON.parse(fs.readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const page = manPage(createProgram(context, version, []), version)
  await expect(page).toMatchFileSnapshot(file)
  expect(page).toContain('.B kugetsu start <issue\\-ref> [message] [pr\\-url]')
})
