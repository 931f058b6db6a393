#!/usr/bin/env node
// Every Node can read this file, back to those that most machines had once: an older one would print a page of our code.
var fs = require('fs')
var path = require('path')

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

if (require.main === module) run()
else module.exports = { ownDirectory: ownDirectory }
