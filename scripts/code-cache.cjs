// Keeps the code that V8 makes of dist/ for this version of Node (see bin/load.js). Called with a command line, it runs
// that and keeps what it used, with the functions that were called; without, it keeps every file that is not kept yet.
const fs = require('node:fs')
const path = require('node:path')
const { cache, compile, entryOf, loadEntry } = require('../bin/load.js')

const command = process.argv.slice(2)
fs.mkdirSync(cache, { recursive: true })
const keep = (name, script) => fs.writeFileSync(path.join(cache, name), script.createCachedData())

if (command.length > 0) {
  const scripts = new Map()
  process.on('exit', () => scripts.forEach((script, name) => keep(name, script)))
  loadEntry(entryOf(command), (name, script) => scripts.set(name, script)).main(command)
} else {
  for (const name of fs.readdirSync(path.dirname(cache))) {
    if (name.endsWith('.cjs') && !fs.existsSync(path.join(cache, name))) keep(name, compile(name))
  }
}
