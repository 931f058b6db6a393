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
 * The file of dist/ that has the `main` for these arguments: that of the command line, or of the daemon, which is built
 * by itself so that it holds nothing of the commands for days.
 */
exports.entryOf = (args) => (['supervise', 'queue-daemon run'].includes(args.join(' ')) ? daemon : 'main.cjs')
const daemon = 'daemon.cjs'

/** A module of dist/ by its file's name. `keep` gets each script that is loaded, by file name. */
exports.loadEntry = (entry, keep) => {
  if (keep === undefined && entry !== daemon && !fs.existsSync(cache)) {
    enableCompileCache?.()
    return require(`../dist/${entry}`)
  }
  const open = entry === daemon ? openAll() : new Map()
  const script = (name) => {
    const compiled = open.get(name)?.() ?? compile(name)
    keep?.(name, compiled)
    return compiled
  }
  return link(entry, script, createRequire(path.join(dist, entry)), (name) => path.join(dist, name))
}

/**
 * What the daemon may load, opened now: an upgrade can take dist/ away under it, and what it loads for the first task of
 * the day must be of its own version.
 */
function openAll() {
  const names = fs.readdirSync(dist).filter((name) => /^(daemon|schemas).*\.cjs$/.test(name))
  return new Map(
    names.map((name) => {
      const filename = path.join(dist, name)
      const code = fs.openSync(filename)
      const cached = cachedCode(name, fs.openSync)
      const read = (file, encoding) => {
        const content = fs.readFileSync(file, encoding)
        fs.closeSync(file)
        return content
      }
      return [name, () => scriptOf(read(code, 'utf8'), filename, cached && read(cached))]
    }),
  )
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

function cachedCode(name, take = fs.readFileSync) {
  try {
    return take(path.join(cache, name))
  } catch {
    return undefined
  }
}
