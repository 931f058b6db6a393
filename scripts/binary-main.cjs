// Where kugetsu begins as one executable file (see build-binary.mjs): dist/ with its code cache, out of that file. What
// is no module of Node's cannot be required: nothing that lies about on the disk becomes part of it.
const { createRequire, isBuiltin } = require('node:module')
const path = require('node:path')
const sea = require('node:sea')
const { entryOf, link, unpack } = require('../bin/kugetsu.js')

const [, , command, file, ...rest] = process.argv

if (command === '__node' && file !== undefined) {
  // For the demo, whose project is tested with node: a script, as Node would run it.
  const script = path.resolve(file)
  process.argv = [process.execPath, script, ...rest]
  createRequire(script)(script)
} else {
  const script = (name) => unpack(Buffer.from(sea.getRawAsset(name)), `kugetsu/dist/${name}`)
  const args = process.argv.slice(2)
  link(entryOf(args), script, requireBuiltin, () => process.execPath).main(args)
}

/** As Node's own here, which warns at each that is not there: a package tries for one that it can do without. */
function requireBuiltin(id) {
  if (isBuiltin(id)) return require(id)
  throw Object.assign(new Error(`Cannot find module '${id}'`), { code: 'MODULE_NOT_FOUND' })
}
