#!/usr/bin/env node
// Stacks are told in terms of the sources only by Node's own loader.
const debug = process.argv.includes('--debug')
if (debug) process.setSourceMapsEnabled(true)
const { main } = debug ? require('../dist/main.cjs') : require('./load.js').loadMain()
main(process.argv.slice(2))
