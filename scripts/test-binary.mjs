// The end-to-end tests through dist.binary/kugetsu: npm run test:binary -- [files and other arguments of vitest].
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const env = { ...process.env, KUGETSU_TEST_PROGRAM: fileURLToPath(new URL('../dist.binary/kugetsu', import.meta.url)) }
const command = ['vitest', 'run', '--project', 'e2e', ...process.argv.slice(2)]
process.exitCode = spawnSync('npx', command, { stdio: 'inherit', env }).status ?? 1
