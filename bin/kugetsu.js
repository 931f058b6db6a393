#!/usr/bin/env node
// What every Node can read, back to those that most machines had once: an older one would print a page of our code.
var version = process.versions.node.split('.').map(Number)
if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  process.stderr.write(
    'Error: kugetsu needs Node 20.19 or newer; this is ' +
      process.versions.node +
      '\nHint: Install a newer one (https://nodejs.org), or put its directory first on the PATH.\n',
  )
  process.exitCode = 1
} else {
  // Stacks are told in terms of the sources only by Node's own loader.
  const debug = process.argv.includes('--debug')
  if (debug) process.setSourceMapsEnabled(true)
  const args = process.argv.slice(2)
  const { entryOf, loadEntry } = require('./load.js')
  const { main } = debug ? require('../dist/main.cjs') : loadEntry(entryOf(args))
  main(args)
}
