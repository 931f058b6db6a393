/** The form in which the commands of the PM agent are listed (allowed.ts). Part of the plugin: plain JavaScript only. */

export interface Allowed {
  /** Options without a value, as they are written, bundles (`-sn`) among them. */
  flags: Set<string>
  /** Options with a value: `--name=value`, `--name value`, `-n value`, `-nvalue`; with what the value may be. */
  values: Map<string, RegExp>
  /** Short flags may be written in one word: `-rn`. */
  bundles: boolean
  /** `-20` is a number of lines. */
  counts: boolean
  /** A value must stand behind `=`: the next word would be something else to the program. */
  joined: boolean
  /** What the other words are. */
  operands: Operands
}

export type Operands =
  | 'none'
  | 'any'
  /** Revisions and paths of git. */
  | 'revisions'
  /** Patterns of branches, where an option says that branches are listed. */
  | 'branches'
  /** Numbers, names, and addresses at the two forges that everybody knows. */
  | 'names'
  | 'repository'
  /** Files; the first may be something else. */
  | 'files'
  | 'pattern, files'
  | 'jq program, files'

export const anything = /^(?!-)[^]*$/
export const number = /^[-+]?\d+[bkKMG]?$/
export const amount = /^\d+$/
export const word = /^[\w./@#:,+ -]*$/
/** Owner and repository, perhaps with a group; no host and no address: a token would go to whatever is there. */
export const repository = /^[\w-]+(?:\/[\w.-]+){1,2}$/

interface Spec {
  flags?: string
  values?: Record<string, RegExp>
  bundles?: boolean
  counts?: boolean
  joined?: boolean
  operands?: Operands
}

export function allow({
  flags = '',
  values = {},
  bundles = false,
  counts = false,
  joined = false,
  operands = 'none',
}: Spec): Allowed {
  const split = flags.split(/\s+/).filter((each) => each !== '')
  const named = Object.entries(values).flatMap(([names, value]) =>
    names.split(' ').map((name) => [name, value] as const),
  )
  return { flags: new Set(split), values: new Map(named), bundles, counts, joined, operands }
}
