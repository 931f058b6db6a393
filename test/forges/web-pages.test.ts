import { afterEach, beforeEach, expect, it } from 'vitest'
import { addServer } from '../../src/config/git-servers.ts'
import { parseRef } from '../../src/core/issue-ref.ts'
import { webPagesOf } from '../../src/forges/web-pages.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

const pagesOf = (text: string) => webPagesOf(home, parseRef(text, { defaultHost: '' }))

it.each([
  ['github', 'https://ghe.test', undefined, 'https://ghe.test/a/b/issues/7', '/compare/main...fix/x%23?expand=1'],
  [
    'gitea',
    'https://git.test:3000/sub',
    undefined,
    'https://git.test:3000/sub/a/b/issues/7',
    '/compare/main...fix/x%23',
  ],
  [
    'gitlab',
    'ssh://git@git.test:2222',
    undefined,
    'https://git.test/a/b/-/issues/7',
    '/-/merge_requests/new?merge_request%5Bsource_branch%5D=fix%2Fx%23&merge_request%5Btarget_branch%5D=main',
  ],
  ['gitea', 'git@git.test:', 'https://web.test/api/v1', 'https://web.test/a/b/issues/7', '/compare/main...fix/x%23'],
  [
    'github',
    'ssh://git@a.test',
    'https://api.b.test',
    'https://b.test/a/b/issues/7',
    '/compare/main...fix/x%23?expand=1',
  ],
])('knows the pages of %s at %s', async (type, url, api, issue, create) => {
  await addServer(home, { name: 'work', url, type, api })
  const pages = pagesOf('work/a/b#7')
  expect(pages?.issue).toBe(issue)
  expect(pages?.newPullRequest('fix/x#', 'main')).toBe(`${issue.replace(/(\/-)?\/issues\/7$/, '')}${create}`)
})

it('knows public forges without a server, and nothing of plain git servers or ids that are words', async () => {
  expect(pagesOf('github.com/a/b#7')?.issue).toBe('https://github.com/a/b/issues/7')
  expect(pagesOf('codeberg.org/a/b#7')?.newPullRequest('x', undefined)).toBe('https://codeberg.org/a/b/compare/x')
  expect(pagesOf('gitlab.com/a/deep/b#7')?.issue).toBe('https://gitlab.com/a/deep/b/-/issues/7')
  expect(pagesOf('github.com/a/b#-word')?.issue).toBeUndefined()
  await addServer(home, { name: 'plain', url: 'git://127.0.0.1:9418' })
  expect(pagesOf('plain/a/b#7')).toBeUndefined()
})
