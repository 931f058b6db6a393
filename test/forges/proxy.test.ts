import { describe, expect, it } from 'vitest'
import { proxyFor } from '../../src/forges/proxy.ts'

const proxy = 'http://proxy.test:3128'
const through = (url: string, env: Record<string, string>) => proxyFor(new URL(url), env)?.href

describe('the proxy for a forge', () => {
  it.each<[string, Record<string, string>, string | undefined]>([
    ['https://git.test/api', {}, undefined],
    ['https://git.test/api', { HTTPS_PROXY: proxy }, `${proxy}/`],
    ['https://git.test/api', { https_proxy: proxy, HTTPS_PROXY: 'http://other.test' }, `${proxy}/`],
    ['https://git.test/api', { https_proxy: '', HTTPS_PROXY: proxy }, `${proxy}/`],
    ['https://git.test/api', { ALL_PROXY: proxy }, `${proxy}/`],
    ['https://git.test/api', { HTTP_PROXY: proxy }, undefined],
    ['https://git.test/api', { HTTPS_PROXY: 'proxy.test:3128' }, `${proxy}/`],
    ['https://git.test/api', { HTTPS_PROXY: 'https://me:p%40ss@proxy.test' }, 'https://me:p%40ss@proxy.test/'],
    ['http://git.test/api', { HTTPS_PROXY: proxy, ALL_PROXY: proxy }, undefined],
  ])('%s with %j: %s', (url, env, expected) => {
    expect(through(url, env)).toBe(expected)
  })

  it.each([
    ['*', 'https://git.test', true],
    ['git.test', 'https://git.test', true],
    ['GIT.test', 'https://git.TEST', true],
    ['test', 'https://git.test', true],
    ['.test', 'https://git.test', true],
    ['*.test', 'https://git.test', true],
    ['it.test', 'https://git.test', false],
    ['other.test, git.test', 'https://git.test', true],
    ['other.test git.test', 'https://git.test', true],
    ['git.test:8443', 'https://git.test:8443', true],
    ['git.test:443', 'https://git.test', true],
    ['git.test:8443', 'https://git.test', false],
    ['10.0.0.1', 'https://10.0.0.1', true],
    ['0.0.0.1', 'https://10.0.0.1', false],
    ['::1', 'https://[::1]', true],
    ['[::1]:443', 'https://[::1]', true],
    ['[::1]:444', 'https://[::1]', false],
    [' , ', 'https://git.test', false],
    ['.', 'https://git.test', false],
  ])('NO_PROXY=%s and %s: reached directly is %s', (noProxy, url, isDirect) => {
    expect(through(url, { HTTPS_PROXY: proxy, NO_PROXY: noProxy })).toBe(isDirect ? undefined : `${proxy}/`)
    expect(through(url, { HTTPS_PROXY: proxy, no_proxy: noProxy })).toBe(isDirect ? undefined : `${proxy}/`)
  })

  it.each(['socks5://me:secret@proxy.test:1080', 'http://', ':::'])('%s is refused, without its password', (said) => {
    const asked = () => through('https://git.test', { ALL_PROXY: said })
    expect(asked).toThrow('git.test is behind a proxy that is not http or https (HTTPS_PROXY, ALL_PROXY)')
    expect(asked).not.toThrow('secret')
  })
})
