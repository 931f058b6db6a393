#!/usr/bin/env node
// Loads dist/ with the code that V8 compiled when it was built: compiling it anew is most of what a short command takes
// (`list`: 1.5 times `node -e 0` without, 1.25 with). V8 refuses what another version of it made, so the cache is kept by
// version; where there is none for this one, Node's own loader does it all (and keeps a cache of its own from 22.1 on).
//
// It is one file, because each takes half a millisecond to find and to read. And every Node can read it, back to those
// that most machines had once: an older one would print a page of our code.
var fs = require('fs')
var path = require('path')

var dist = path.join(path.dirname(__dirname), 'dist')
var cache = path.join(dist, 'code-cache-' + process.version + '-' + process.arch)

var daemon = 'daemon.cjs'

/**
 * The file of dist/ that has the `main` for these arguments: that of the command line, or of the daemon, which is built
 * by itself so that it holds nothing of the commands for days.
 */
function entryOf(args) {
  return ['supervise', 'queue-daemon run'].indexOf(args.join(' ')) === -1 ? 'main.cjs' : daemon
}

/** A module of dist/ by the name of its file. `keep` gets each script that is loaded, by file name. */
function loadEntry(entry, keep) {
  if (keep === undefined && entry !== daemon && !fs.existsSync(cache)) {
    var enableCompileCache = require('module').enableCompileCache // a millisecond, of Node's own
    var directory = enableCompileCache === undefined ? undefined : ownDirectory(process.env)
    if (directory !== undefined) enableCompileCache(directory)
    return require('../dist/' + entry)
  }
  var opened = entry === daemon ? openDaemon() : new Map()
  function script(name) {
    var compiled = (opened.get(name) || openScript(name))()
    if (keep !== undefined) keep(name, compiled)
    return compiled
  }
  function filenameOf(name) {
    return dist + '/' + name
  }
  return link(entry, script, require, filenameOf)
}

/**
 * Where Node may keep compiled code: a directory that is the user's own and that nobody else can write to or read, because
 * what lies there is run. (Without a name Node takes one in the temporary directory, whoever made that.) Undefined where
 * there is none.
 */
function ownDirectory(env) {
  try {
    var root = env.XDG_CACHE_HOME || path.join(env.HOME, '.cache')
    var directory = path.join(root, 'kugetsu', 'code')
    if (!path.isAbsolute(root) || fs.statSync(env.HOME).uid !== process.getuid()) return undefined
    fs.mkdirSync(directory, { recursive: true, mode: 448 }) // 0700
    var stat = fs.lstatSync(directory)
    var isOwn = stat.isDirectory() && stat.uid === process.getuid() && (stat.mode & 63) === 0 // 077
    return isOwn ? directory : undefined
  } catch (error) {
    if (error.code === undefined) throw error // no variable, no rights
    return undefined
  }
}

/**
 * What the daemon may load, opened now: an upgrade can take dist/ away under it, and what it loads for the first task of
 * the day must be of its own version.
 */
function openDaemon() {
  var names = fs.readdirSync(dist).filter(function (name) {
    return /^(daemon|schemas).*\.cjs$/.test(name)
  })
  return new Map(
    names.map(function (name) {
      return [name, openScript(name)]
    }),
  )
}

/** The module `entry`: each of ours is what `script` has for its name, all others are what `requireOutside` gives. */
function link(entry, script, requireOutside, filenameOf) {
  var modules = new Map()

  function load(name) {
    var module = modules.get(name)
    if (module !== undefined) return module.exports
    var compiled = script(name)
    module = { exports: {} }
    modules.set(name, module)
    var filename = filenameOf(name)
    compiled.runInThisContext()(module.exports, requireFrom, module, filename, path.dirname(filename))
    return module.exports
  }
  function requireFrom(id) {
    return id.slice(0, 2) === './' ? load(id.slice(2)) : requireOutside(id)
  }
  return load(entry)
}

/** Opens a file of dist/, in the cache where that has it; what it returns makes a function of what a CommonJS module gets. */
function openScript(name) {
  var filename = dist + '/' + name
  var file
  var isKept = true
  try {
    file = fs.openSync(cache + '/' + name)
  } catch (error) {
    if (error.code === undefined) throw error // none of the system's
    isKept = false
    file = openPart(filename)
  }
  return function () {
    var content = fs.readFileSync(file)
    fs.closeSync(file)
    return isKept ? unpack(content, filename) : scriptOf(textOf(content), filename)
  }
}

/** As Node says it of what it does not find, for those who tell it (tellIncomplete, src/cli/render-error.ts). */
function openPart(filename) {
  try {
    return fs.openSync(filename)
  } catch (error) {
    if (error.code === 'ENOENT') error.code = 'MODULE_NOT_FOUND'
    throw error
  }
}

/** The text of such a function; ASCII, as all of dist/ is. */
function textOf(content) {
  return '(function (exports, require, module, __filename, __dirname) { ' + content.toString('latin1') + '\n})'
}

/**
 * A file of the cache: how long the code is (4 bytes, and 4 of nothing because V8 wants the code at a multiple of 8), the
 * code, the text. So there is one file to open, and no text to put together.
 */
function pack(text, code) {
  var start = Buffer.alloc(8)
  start.writeUInt32LE(code.length)
  return Buffer.concat([start, code, Buffer.from(text, 'latin1')])
}

function unpack(kept, filename) {
  var end = 8 + kept.readUInt32LE(0)
  return scriptOf(kept.latin1Slice(end), filename, kept.subarray(8, end))
}

/** Where Node's own loader does it all, this module of Node's is not loaded. */
function scriptOf(text, filename, code) {
  var Script = require('vm').Script
  return new Script(text, { filename: filename, cachedData: code })
}

function run() {
  var version = process.versions.node.split('.').map(Number)
  if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
    process.stderr.write(
      'Error: kugetsu needs Node 20.19 or newer; this is ' +
        process.versions.node +
        '\nHint: Install a newer one (https://nodejs.org), or put its directory first on the PATH.\n',
    )
    process.exitCode = 1
    return
  }
  // Stacks are told in terms of the sources only by Node's own loader.
  var debug = process.argv.indexOf('--debug') !== -1
  if (debug) process.setSourceMapsEnabled(true)
  var args = process.argv.slice(2)
  try {
    var main = debug ? require('../dist/main.cjs') : loadEntry(entryOf(args))
    main.main(args).catch(tellIncomplete)
  } catch (error) {
    tellIncomplete(error)
  }
}

/** While npm installs or replaces kugetsu, files are missing for a moment. Rethrows all else. */
function tellIncomplete(error) {
  if (!isMissing(error)) throw error
  process.stderr.write(
    'Error: kugetsu is not complete: ' +
      String(error.message).split('\n')[0] +
      '\nHint: It is being installed or upgraded: try again in a moment. If it stays so, install it again.\n',
  )
  process.exit(1)
}

/** Whether it says that a file of this package is not there. */
function isMissing(error) {
  var isAbsent = error.code === 'MODULE_NOT_FOUND' || error.code === 'ENOENT'
  return isAbsent && String(error.path || error.message).indexOf(path.dirname(__dirname)) !== -1
}

// Not where the build, or the one executable file, only takes what it needs from here.
if (require.main === module) run()
else
  module.exports = {
    cache: cache,
    dist: dist,
    entryOf: entryOf,
    link: link,
    loadEntry: loadEntry,
    openScript: openScript,
    ownDirectory: ownDirectory,
    pack: pack,
    textOf: textOf,
    unpack: unpack,
  }
