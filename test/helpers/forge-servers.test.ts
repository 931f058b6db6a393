import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startForge, type ForgeServer } from './forge-servers.ts'

let forges: Record<'gitea' | 'github' | 'gitlab', ForgeServer>
beforeEach(async () => {
  forges = {
    gitea: await startForge('gitea'),
    github: await startForge('github'),
    gitlab: await startForge('gitlab'),
  }
})
afterEach(() => Promise.allSettled(Object.values(forges).map((forge) => forge.stop())))

const ask = (forge: ForgeServer, path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${forge.api}${path}`, { method, headers })
const github = { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28', 'user-agent': 'me' }

describe('the forges of the tests', () => {
  it.each<[keyof typeof forges, string, Record<string, string>]>([
    ['gitea', '/repos/me/app/pulls?state=all&limit=50&page=2', { authorization: 'token t' }],
    ['github', '/repos/me/app/pulls?state=all&head=me:x&per_page=100', { ...github, authorization: 'Bearer t' }],
    ['gitlab', '/projects/me%2Fapp/merge_requests?state=all&source_branch=x', { 'private-token': 't' }],
  ])('take what the API of %s has: %s', async (kind, path, headers) => {
    const response = await ask(forges[kind], path, headers)
    expect([response.status, await response.json()]).toEqual([200, []])
    await expect(forges[kind].stop()).resolves.toBeUndefined()
  })

  it.each<[keyof typeof forges, string, Record<string, string>, string?]>([
    ['gitea', '/repos/me/app/pulls?head=x', {}],
    ['gitea', '/repos/me/app/pulls?state=merged', {}],
    ['gitea', '/repos/me/app/pulls?token=t', {}],
    ['gitea', '/repos/me/app/pulls?page=0', {}],
    ['gitea', '/repos/me/app/merges', {}],
    ['gitea', '/repos/me/app/pulls', { authorization: 'Basic t' }],
    ['gitea', '/repos/me/app/pulls', { 'private-token': 't' }],
    ['gitea', '/repos/me/app/pulls', {}, 'POST'],
    ['github', '/repos/me/app/pulls?head=x', github],
    ['github', '/repos/me/app/pulls?state=merged', github],
    ['github', '/repos/me/app/pulls', { ...github, 'x-github-api-version': '2020-01-01' }],
    ['github', '/repos/me/app/pulls', { ...github, authorization: 'Basic t' }],
    ['gitlab', '/projects/me/app/merge_requests', {}],
    ['gitlab', '/projects/me%2Fapp/merge_requests?state=open', {}],
    ['gitlab', '/projects/me%2Fapp/merge_requests', { authorization: 'token t' }],
  ])('refuse what the API of %s has not: %s %j %s', async (kind, path, headers, method) => {
    const response = await ask(forges[kind], path, headers, method)
    expect(response.status).toBe(400)
    expect(forges[kind].violations).toHaveLength(1)
    await expect(forges[kind].stop()).rejects.toThrow('not of the API')
  })
})
