/** The words of the demo at its beginning and its end. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Paths } from '../config/paths.ts'
import type { Narrator } from './narration.ts'
import type { DemoHome } from './stage.ts'

export interface Ending {
  keep: boolean
  root: string
  paths: Paths
}

export function openingWords(narrator: Narrator, { keep, root }: Ending): void {
  narrator.frame(
    'kugetsu demo',
    `kugetsu has coding agents work on issues, each in a git worktree of its own. Here two of them mend two bugs of a small project at the same time. kugetsu, opencode and git are the real ones, only the model is a script: no key, no network. It all happens in ${root}, which ${keep ? 'stays' : 'is removed at the end'}.`,
  )
}

export function brokenOff(narrator: Narrator, ending: Ending): void {
  narrator.frame('Broken off', whatIsLeft(ending))
}

export function closingWords(narrator: Narrator, home: DemoHome, ending: Ending & { seconds: number }): void {
  const program = programName(home)
  narrator.frame(`That took ${ending.seconds} seconds`, whatIsLeft(ending))
  if (ending.keep) {
    const kugetsu = `KUGETSU_DIR=${ending.paths.home} ${program}`
    narrator.frame('Look around', '')
    narrator.suggest([
      [`${kugetsu} list`, 'The sessions'],
      [`${kugetsu} logs shop#1`, 'A transcript'],
      [`git -C ${path.join(ending.paths.worktrees, 'local-tea-shop-1')} show`, "An agent's worktree"],
      [`rm -rf ${ending.root}`, 'Remove it all'],
    ])
  }
  narrator.frame('What next', '')
  narrator.suggest([
    [`${program} start https://github.com/you/app/issues/14`, 'Put an agent on an issue'],
    [`${program} help`, 'See all commands'],
  ])
}

function whatIsLeft({ keep, root }: Ending): string {
  const left = keep ? `${root} is kept.` : `${root} is gone.`
  return `All processes of the demo are ended. ${left}`
}

/** How to call kugetsu here: by its name if it is on the PATH, else as a script of this checkout or a file. */
function programName({ env, self, cwd }: DemoHome): string {
  const onPath = (env['PATH'] ?? '')
    .split(path.delimiter)
    .some((directory) => directory !== '' && fs.existsSync(path.join(directory, 'kugetsu')))
  if (onPath) return 'kugetsu'
  const [program, script] = self
  if (script === undefined) return program
  const relative = cwd === undefined ? script : path.relative(cwd, script)
  return `node ${relative.startsWith('..') ? script : relative}`
}
