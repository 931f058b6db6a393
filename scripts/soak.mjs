// npm run soak, see docs/reliability.md.
import { runBundled } from './bundled.mjs'

await runBundled('soak', process.argv.slice(2))
