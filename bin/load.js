// Loads dist/ with the code that V8 compiled when it was built: compiling it anew is most of what a short command takes
// (`list`: 1.6 times `node -e 0` without, 1.3 with). V8 refuses what another version of it made, so the cache is kept by
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
  const requireOutside = createRequire(path.join(dist, 'main.cjs'))
  const modules = new Map()

  function load(name) {
    const known = modules.get(name)
    if (known !== undefined) return known.exports
    const script = compile(name)
    keep?.(name, script)
    const module = { exports: {} }
    modules.set(name, module)
    const requireFrom = (id) => (id.startsWith('./') ? load(id.slice(2)) : requireOutside(id))
    script.runInThisContext()(module.exports, requireFrom, module, path.join(dist, name), dist)
    return module.exports
  }
  return load('main.cjs')
}

/** A file of dist/ as a function of what a CommonJS module gets. */
const compile = (exports.compile = (name) => {
  const filename = path.join(dist, name)
  const source = `(function (exports, require, module, __filename, __dirname) { ${fs.readFileSync(filename, 'utf8')}\n})`
  return new vm.Script(source, { filename, cachedData: cachedCode(name) })
})

exports.cache = cache

function cachedCode(name) {
  try {
    return fs.readFileSync(path.join(cache, name))
  } catch {
    return undefined
  }
}
