// Loads dist/ with the code that V8 compiled when it was built: compiling it anew is most of what a short command takes
// (`list`: 1.5 times `node -e 0` without, 1.25 with). V8 refuses what another version of it made, so the cache is kept by
// version; where there is none for this one, Node's own loader does it all (and keeps a cache of its own from 22.1 on).
const fs = require('node:fs')
const { createRequire, enableCompileCache } = require('node:module')
const path = require('node:path')
const vm = require('node:vm')

const dist = path.join(__dirname, '..', 'dist')
const cache = path.join(dist, `code-cache-${process.version}-${process.arch}`)

/**
 * What begins with these arguments, as a module with `main`: the command line, or the daemon in the background, which is
 * built by itself so that it holds nothing of the commands for days.
 */
exports.entryOf = (args) => (args.length === 1 && args[0] === 'supervise' ? 'daemon.cjs' : 'main.cjs')

/** A module of dist/ by its file's name. `keep` gets each script that is loaded, by file name. */
exports.loadEntry = (entry, keep) => {
  if (keep === undefined && !fs.existsSync(cache)) {
    enableCompileCache?.()
    return require(`../dist/${entry}`)
  }
  const script = (name) => {
    const compiled = compile(name)
    keep?.(name, compiled)
    return compiled
  }
  return link(entry, script, createRequire(path.join(dist, entry)), (name) => path.join(dist, name))
}

/** The module `entry`: each of ours is what `script` has for its name, all others are what `requireOutside` gives. */
const link = (exports.link = (entry, script, requireOutside, filenameOf) => {
  const modules = new Map()

  function load(name) {
    const known = modules.get(name)
    if (known !== undefined) return known.exports
    const compiled = script(name)
    const module = { exports: {} }
    modules.set(name, module)
    const requireFrom = (id) => (id.startsWith('./') ? load(id.slice(2)) : requireOutside(id))
    const filename = filenameOf(name)
    compiled.runInThisContext()(module.exports, requireFrom, module, filename, path.dirname(filename))
    return module.exports
  }
  return load(entry)
})

const compile = (exports.compile = (name) => {
  const filename = path.join(dist, name)
  return scriptOf(fs.readFileSync(filename, 'utf8'), filename, cachedCode(name))
})

/** A file of dist/ as a function of what a CommonJS module gets. */
const scriptOf = (exports.scriptOf = (code, filename, cachedData) => {
  const source = `(function (exports, require, module, __filename, __dirname) { ${code}\n})`
  return new vm.Script(source, { filename, cachedData })
})

exports.cache = cache

function cachedCode(name) {
  try {
    return fs.readFileSync(path.join(cache, name))
  } catch {
    return undefined
  }
}
