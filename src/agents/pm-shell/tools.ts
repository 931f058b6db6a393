/** opencode's tools in the hands of the PM agent: which there are, and where they may read. Part of the plugin. */
import { pmShellCall } from '../../core/pm-shell.ts'
import { judge } from './judge.ts'
import { unreadable } from './room.ts'

/** Those that read no file and write none. */
const harmless = ['webfetch', 'websearch', 'todowrite', 'todoread', 'skill', 'invalid']

/** Where the arguments of those that read say what. */
const reading: Record<string, string> = { read: 'filePath', glob: 'path', list: 'path' }

/**
 * Why the PM agent of the home at `home` may not call `tool` with `args`, undefined when it may. What its shell is to run
 * is changed in `args`: it gets the runner that judges it once more, with the command as one word.
 */
export function refuseTool(
  home: string,
  base: string,
  tool: string,
  args: Record<string, unknown>,
): string | undefined {
  if (tool === 'bash') return refuseCommand(args)
  if (harmless.includes(tool)) return undefined
  // No argument of opencode's own keeps it from the lines of an .env: that searches hidden files, and what `include` fits.
  if (tool === 'grep') return 'search with grep -r in your shell: cd <worktree> && grep -rn <pattern> .'
  const name = Object.hasOwn(reading, tool) ? reading[tool] : undefined
  if (name === undefined) return `the tool ${tool} is not for you`
  const given = args[name] ?? '.'
  if (typeof given !== 'string') return `${name} must be a path`
  const pattern = args['pattern']
  if (tool === 'glob' && typeof pattern === 'string' && /^[/~]|(?:^|[/{,])\.\.(?:[/},]|$)/.test(pattern)) {
    return 'a pattern must not lead out of its directory'
  }
  return unreadable(home, given, base)
}

function refuseCommand(args: Record<string, unknown>): string | undefined {
  const { command } = args
  if (typeof command !== 'string') return 'there is no command'
  const judged = judge(command)
  if ('problem' in judged) return judged.problem
  args['command'] = pmShellCall(command)
  return undefined
}
