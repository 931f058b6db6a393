/** Parts of Node that take milliseconds to load, loaded at their first use: most short commands use none of them. */
export const builtins = {
  get childProcess() {
    return process.getBuiltinModule('node:child_process')
  },
  get crypto() {
    return process.getBuiltinModule('node:crypto')
  },
  get net() {
    return process.getBuiltinModule('node:net')
  },
}
