// npm runs this after `npm ci`, before `npm pack`, and in the clone of `npm install git+…`. There npm hands its --global
// down to the installation of what builds kugetsu, which so goes elsewhere.
try {
  import.meta.resolve('rolldown')
} catch {
  console.error('Error: what builds kugetsu is not installed here.')
  console.error(
    'Hint: npm cannot install it from git with --global: run "npm pack <URL>", then install the file it makes.',
  )
  process.exit(1)
}
const { build } = await import('rolldown')
const { default: configurations } = await import('../rolldown.config.mjs')
for (const configuration of configurations) await build(configuration)
