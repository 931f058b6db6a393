#!/usr/bin/env node
// Written so that every Node can read it, also very old ones: a Node that cannot would print a page of our code.
var fs = require('fs')
var path = require('path')

/**
 * Where Node may keep compiled code: a directory that is the user's own and that no other user can write to or read, because
 * Node runs what is in it. (Without a name Node takes one in the temporary directory, even if another user made it.)
 * Undefined when there is none.
 */
function ownDirectory(env) {
  try {
    var root = env.XDG_CACHE_HOME || path.join(env.HOME, '.cache')
    var directory = path.join(root, 'kugetsu', 'code')
    if (!path.isAbsolute(root) || fs.statSync(env.HOME).uid !== process.getuid()) return undefined
    // One by one: where a directory cannot have any, as in /proc, a recursive mkdir of Node's never ends.
    ;[root, path.dirname(directory), directory].forEach(makeDirectory)
    var stat = fs.lstatSync(directory)
    var isOwn = stat.isDirectory() && stat.uid === process.getuid() && (stat.mode & 63) === 0 // 077
    return isOwn ? directory : undefined
  } catch (error) {
    if (error.code === undefined) throw error
    return undefined // no variable, no rights
  }
}

function makeDirectory(directory) {
  try {
    fs.mkdirSync(directory, 448) // 0700
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
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
  if (process.argv.indexOf('--debug') !== -1) process.setSourceMapsEnabled(true)
  var enableCompileCache = require('module').enableCompileCache // of Node 22 and newer
  var directory = enableCompileCache === undefined ? undefined : ownDirectory(process.env)
  if (directory !== undefined) enableCompileCache(directory)
  try {
    require('../dist/main.cjs').main(process.argv.slice(2)).catch(tellIncomplete)
  } catch (error) {
    tellIncomplete(error)
  }
}

/** While npm installs or replaces kugetsu, files are missing for a moment. Rethrows any other error. */
function tellIncomplete(error) {
  if (!isMissing(error)) throw error
  process.stderr.write(
    'Error: kugetsu is not complete: ' +
      String(error.message).split('\n')[0] +
      '\nHint: During an installation or upgrade, try again in a moment. Otherwise install kugetsu again.\n',
  )
  process.exit(1)
}

/** Whether the error says that a file of this package is missing. */
function isMissing(error) {
  var isAbsent = error.code === 'MODULE_NOT_FOUND' || error.code === 'ENOENT'
  return isAbsent && String(error.path || error.message).indexOf(path.dirname(__dirname)) !== -1
}

if (require.main === module) run()
else module.exports = { ownDirectory: ownDirectory }
