// The fault suite without its bounds: npm run test:faults -- [factor] [seed] [vitest's own arguments]. See docs/reliability.md.
import { spawnSync } from 'node:child_process'

const [first, second, ...rest] = process.argv.slice(2)
const isNumber = (text) => /^\d+(\.\d+)?$/.test(text ?? '')
const [factor, seed] = [isNumber(first) ? first : '10', isNumber(first) && isNumber(second) ? second : undefined]
const args = isNumber(first) ? (seed === undefined ? [second, ...rest] : rest) : [first, second, ...rest]
const env = { ...process.env, KUGETSU_FAULTS: factor, ...(seed === undefined ? {} : { KUGETSU_FAULTS_SEED: seed }) }
const command = ['vitest', 'run', '--project', 'faults', ...args.filter((argument) => argument !== undefined)]
process.exitCode = spawnSync('npx', command, { stdio: 'inherit', env }).status ?? 1
