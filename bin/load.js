// Loads dist/ with the code that V8 compiled when it was built: compiling it anew is most of what a short command takes
// (`list`: 1.5 times `node -e 0` without, 1.25 with). V8 refuses what another version of it made, so the cache is kept by
// version; where there is none for this one, Node's own loader does it all (and keeps a cache of its own from 22.1 on).
const fs = require('node:fs')
const { createRequire, enableCompileCache } = require('node:module')
const path = require('node:path')
const vm = require('node:vm')

const dist = path.join(__dirname, '..', 'dist')
const cache = path.join(dist, `code-cache-${process.version}-${process.arch}`)

/** The module dist/main.cjs. `keep` gets each script that is loaded, by file name. */
exports.loadMain = (keep) => {
  if (keep === undefined && !fs.existsSync(cache)) {
    enableCompileCache?.()
    return require('../dist/main.cjs')
  }
  const script = (name) => {
    const compiled = compile(name)
    keep?.(name, compiled)
    return compiled
  }
  return link(script, createRequire(path.join(dist, 'main.cjs')), (name) => path.join(dist, name))
}

/** The module main.cjs: each of ours is what `script` has for its name, all others are what `requireOutside` gives. */
const link = (exports.link = (script, requireOutside, filenameOf) => {
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
  return load('main.cjs')
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
