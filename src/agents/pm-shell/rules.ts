/** The form of the PM agent's command list (allowed.ts). Part of the plugin: plain JavaScript only. */

export interface Allowed {
  /** Options without a value, as they are written, including bundles (`-sn`). */
  flags: Set<string>
  /** Options with a value (`--name=value`, `--name value`, `-n value`, `-nvalue`), each with a pattern for the value. */
  values: Map<string, RegExp>
  /** Whether short flags may be written in one word: `-rn`. */
  bundles: boolean
  /** Whether `-20` is a number of lines. */
  counts: boolean
  /** Whether a value must follow `=`: the program takes the next word as something else. */
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
  /** Numbers, names, and addresses at github.com and gitlab.com. */
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
/** Owner and repository, perhaps with a group. No host and no address, because a token would be sent there. */
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
