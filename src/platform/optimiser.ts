/** What Node was told about how V8 compiles is left as it is: nothing may be compiled under --jitless. */
const isUntold = !/jit|opt|turbo|lite/i.test([...process.execArgv, process.env['NODE_OPTIONS']].join(' '))
let isOn = true

/**
 * Whether V8 shall optimise what is hot from now on, as it does by itself; what it has optimised stays so. Its
 * optimising compiler is 4 MB of Node's program, which a process holds from the first function on that it compiles, and
 * a look a minute makes functions hot as well. While it is off V8 takes no code from the cache (the flags are part of
 * what that is known by), so switch it on before more is loaded.
 */
export function optimise(on: boolean): void {
  if (on === isOn || !isUntold) return
  isOn = on
  process.getBuiltinModule('node:v8').setFlagsFromString(on ? '--opt' : '--no-opt')
}
