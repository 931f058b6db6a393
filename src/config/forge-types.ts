/** The kinds of forges, one line of facts each. How to ask one is in src/forges/, in a file of its own. */

interface Facts {
  /** In what a person reads. */
  name: string
  /** In an agent's prompt. */
  title: string
  /** Fits the host of such a server, or else its name, both in lower case. The first kind that fits counts. */
  guess: RegExp
  /** Another name for it on the command line. */
  alias?: string
  /** The usual variables of people for its token, the most common one first. */
  tokens: readonly string[]
  /** The user name that it expects with a token. */
  login: string
  /** The host of a general token, if several servers are of this kind. */
  publicHost?: string
  /**
   * The variables of the forge's own programs, in the order in which those look: for its public host, and for any other.
   */
  programs: { host: string; there: readonly string[]; elsewhere: readonly string[] }
}

const facts = {
  github: {
    name: 'GitHub',
    title: 'GitHub',
    guess: /(^|\.)github\.|^github$/,
    tokens: ['GITHUB_TOKEN', 'GH_TOKEN'],
    login: 'x-access-token',
    publicHost: 'github.com',
    programs: {
      host: 'github.com',
      there: ['GH_TOKEN', 'GITHUB_TOKEN'],
      elsewhere: ['GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN'],
    },
  },
  gitlab: {
    name: 'GitLab',
    title: 'GitLab (a pull request is a merge request here)',
    guess: /gitlab/,
    tokens: ['GITLAB_TOKEN'],
    login: 'oauth2',
    publicHost: 'gitlab.com',
    programs: { host: 'gitlab.com', there: ['GITLAB_TOKEN'], elsewhere: ['GITLAB_TOKEN'] },
  },
  gitea: {
    name: 'Gitea or Forgejo',
    title: 'Gitea/Forgejo',
    guess: /gitea|forgejo|codeberg/,
    alias: 'forgejo',
    tokens: ['GITEA_TOKEN', 'FORGEJO_TOKEN'],
    login: 'oauth2', // it takes any
    programs: {
      host: 'codeberg.org',
      there: ['GITEA_TOKEN', 'FORGEJO_TOKEN'],
      elsewhere: ['GITEA_TOKEN', 'FORGEJO_TOKEN'],
    },
  },
} satisfies Record<string, Facts>

export type ForgeKind = keyof typeof facts
export type ForgeType = ForgeKind | 'unknown'

export const forgeFacts: Readonly<Record<ForgeKind, Facts>> = facts
/** In the order in which they are named to people. */
export const forgeKinds = (Object.keys(facts) as ForgeKind[]).sort()
export const forgeTypes: readonly ForgeType[] = [...forgeKinds, 'unknown']

/** The kind that the first of these texts (a host, a name, in lower case) looks like. */
export function guessedFrom(...texts: string[]): ForgeType {
  for (const text of texts) {
    const found = Object.entries(facts).find(([, { guess }]) => guess.test(text))
    if (found !== undefined) return found[0] as ForgeKind
  }
  return 'unknown'
}
