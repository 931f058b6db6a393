/** Files that only their owner may read. Git records no mode but executable, so a save has to record this itself. */
import * as fs from 'node:fs'
import { type ByteName, charactersOf, listNames, nameIn, placeIn } from '../../platform/byte-names.ts'

/** The private files among `names` in a worktree; names of directories end in `/`. What cannot be read is left out. */
export function privateFiles(worktree: string, names: readonly ByteName[]): ByteName[] {
  return names.flatMap((name) => {
    const characters = charactersOf(name)
    if (characters.endsWith('/')) {
      return privateFiles(
        worktree,
        namesBelow(worktree, name).map((each) => nameIn(characters + charactersOf(each))),
      )
    }
    try {
      const stat = fs.lstatSync(placeIn(worktree, name))
      if (stat.isDirectory()) return privateFiles(worktree, [nameIn(`${characters}/`)])
      return stat.isFile() && (stat.mode & 0o077) === 0 ? [name] : []
    } catch {
      return [] // gone
    }
  })
}

function namesBelow(worktree: string, directory: ByteName): ByteName[] {
  try {
    return listNames(placeIn(worktree, directory))
  } catch {
    return []
  }
}
