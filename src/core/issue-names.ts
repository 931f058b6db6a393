/** The file names of an issue or a repository. */
import { builtins } from './builtins.ts'
import { formatRef, type IssueRef, type Repository } from './issue-ref.ts'

const longestFileName = 160

/** The file name of an issue, without extension: `github.com-shoko-kugetsu-14`. Several refs can have the same one. */
export function baseNameOf(ref: IssueRef): string {
  const name = `${ref.host.toLowerCase()}-${ref.owner}-${ref.repo}-${ref.id}`.replace(/[^A-Za-z0-9._-]/g, '-')
  // File systems end at 255 bytes, and temporary and set-aside files add to the name.
  return name.length <= longestFileName ? name : `${name.slice(0, longestFileName - 9)}-${digestOf(ref).slice(0, 8)}`
}

/**
 * A file name that no other issue has: baseNameOf, with a part of the ref's SHA-256 when another ref has that name.
 * `ownerOf` returns the canonical ref that a name belongs to, undefined when it is free.
 */
export function uniqueNameOf(ref: IssueRef, ownerOf: (name: string) => string | undefined): string {
  const base = baseNameOf(ref)
  const canonical = formatRef(ref)
  const isFree = (name: string) => (ownerOf(name) ?? canonical) === canonical
  if (isFree(base)) return base // nearly always so, and without the cost of a digest
  // The longer digests are for a ref that was made to have the shorter name of this one.
  const names = [8, 16, 32].map((length) => `${base}-${digestOf(ref).slice(0, length)}`)
  return names.find(isFree) ?? `${base}-${digestOf(ref)}`
}

/** A file name, without extension, that no other repository has: `github.com+shoko+kugetsu`. */
export function fileNameOf({ host, owner, repo }: Repository): string {
  // No part of a ref has a plus sign.
  const name = [host.toLowerCase(), ...owner.split('/'), repo].join('+')
  return name.length <= longestFileName ? name : `${name.slice(0, 80)}+${sha256(name)}+`
}

function digestOf(ref: IssueRef): string {
  return sha256(formatRef(ref))
}

function sha256(text: string): string {
  return builtins.crypto.createHash('sha256').update(text).digest('hex')
}
