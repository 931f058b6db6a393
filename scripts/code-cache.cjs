// Keeps the code that V8 makes of dist/ for this version of Node (see bin/kugetsu.js). Called with a command line, it runs
// that and keeps what it used, with the functions that were called; without, it keeps every file that is not kept yet.
const fs = require('node:fs')
const path = require('node:path')
const { cache, dist, entryOf, loadEntry, openScript, pack, textOf } = require('../bin/kugetsu.js')

const command = process.argv.slice(2)
fs.mkdirSync(cache, { recursive: true })

if (command.length > 0) {
  const scripts = new Map()
  process.on('exit', () => scripts.forEach((script, name) => keep(name, script)))
  loadEntry(entryOf(command), (name, script) => scripts.set(name, script)).main(command)
} else {
  for (const name of fs.readdirSync(dist)) {
    if (name.endsWith('.cjs') && !fs.existsSync(path.join(cache, name))) keep(name, openScript(name)())
  }
}

function keep(name, script) {
  const text = textOf(fs.readFileSync(path.join(dist, name)))
  if (/[^\0-\x7f]/.test(text)) throw new Error(`${name} is more than ASCII, and would be read as something else`)
  // A build that is ended leaves no half of a file: its text would be believed.
  const fresh = path.join(cache, `.${name}`)
  fs.writeFileSync(fresh, pack(text, script.createCachedData()))
  fs.renameSync(fresh, path.join(cache, name))
}
