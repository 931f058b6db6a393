/** Other names, taken for those of commands; the help of the command names them. */
export const aliases: Readonly<Record<string, string>> = {
  ls: 'list',
  ps: 'list',
  rm: 'destroy',
  kill: 'stop',
  resume: 'continue',
  '-v': '--version',
}

/** The words with the name of a command for an alias of it. */
export function withoutAlias(argv: readonly string[]): string[] {
  const [first = '', ...rest] = argv
  if (Object.hasOwn(aliases, first)) return [aliases[first] ?? first, ...rest]
  const [second = ''] = rest
  return first === 'help' && Object.hasOwn(aliases, second)
    ? [first, aliases[second] ?? second, ...rest.slice(1)]
    : [...argv]
}
