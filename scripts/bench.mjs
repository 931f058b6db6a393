// npm run bench, see docs/performance.md.
import { runBundled } from './bundled.mjs'

await runBundled('bench', process.argv.slice(2))
