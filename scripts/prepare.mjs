// npm runs this after `npm ci`, before `npm pack`, and in the clone of `npm install git+…`. In that clone npm also applies
// its --global to the packages that build kugetsu, so they are installed elsewhere.
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
