/** Which API a git server speaks; Forgejo speaks Gitea's. */
import type { ForgeType } from '../config/git-servers.ts'

/**
 * Where the API of a forge is, without a trailing slash, by the address of its pages (`https://git.example.com`, with a
 * path where the forge has one); undefined for an unknown forge.
 */
export function apiUrlOf(kind: ForgeType, webUrl: string): string | undefined {
  switch (kind) {
    case 'gitea':
      return `${webUrl}/api/v1`
    case 'github':
      return githubApi(webUrl)
    case 'gitlab':
      return `${webUrl}/api/v4`
    case 'unknown':
      return undefined
  }
}

/** GitHub's own servers have the API on a host of its own, an Enterprise server has it below its address. */
function githubApi(webUrl: string): string {
  const host = /^https:\/\/([^/:]+)$/.exec(webUrl)?.[1] ?? ''
  if (/^(.+\.)?github\.com$/.test(host)) return 'https://api.github.com'
  return /^[^.]+\.ghe\.com$/.test(host) ? `https://api.${host}` : `${webUrl}/api/v3`
}
