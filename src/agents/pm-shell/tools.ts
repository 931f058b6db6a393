/** Which of opencode's tools the PM agent may use, and where they may read. Part of the plugin. */
import { pmShellCall } from '../../core/pm-shell.ts'
import { judge } from './judge.ts'
import { unreadable } from './room.ts'

/** Tools that neither read nor write files. */
const harmless = ['webfetch', 'websearch', 'todowrite', 'todoread', 'skill', 'invalid']

/** For each tool that reads, the argument that has the path. */
const reading: Record<string, string> = { read: 'filePath', glob: 'path', list: 'path' }

/**
 * Why the PM agent of the home at `home` may not call `tool` with `args`; undefined when it may. A shell command is changed
 * in `args` to a call of the runner, with the command as one word; the runner judges it once more.
 */
export function refuseTool(
  home: string,
  base: string,
  tool: string,
  args: Record<string, unknown>,
): string | undefined {
  if (tool === 'bash') return refuseCommand(args)
  if (harmless.includes(tool)) return undefined
  // No argument of opencode's grep keeps it from .env files: it searches hidden files, and any that `include` matches.
  if (tool === 'grep') return 'search with grep -r in your shell: cd <worktree> && grep -rn <pattern> .'
  const name = Object.hasOwn(reading, tool) ? reading[tool] : undefined
  if (name === undefined) return `you may not use the tool ${tool}`
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
  if (typeof command !== 'string') return 'the command is missing'
  const judged = judge(command)
  if ('problem' in judged) return judged.problem
  args['command'] = pmShellCall(command)
  return undefined
}
