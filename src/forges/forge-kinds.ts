/** Which API a git server speaks; Forgejo speaks Gitea's. */
import type { ForgeType } from '../config/git-servers.ts'

/** Where the API of a forge is by its host name, without a trailing slash; undefined for an unknown one. */
export function apiBaseOf(kind: ForgeType, host: string): string | undefined {
  switch (kind) {
    case 'gitea':
      return `https://${host}/api/v1`
    case 'github':
      return host === 'github.com' ? 'https://api.github.com' : `https://${host}/api/v3`
    case 'gitlab':
      return `https://${host}/api/v4`
    case 'unknown':
      return undefined
  }
}
