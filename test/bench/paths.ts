import { fileURLToPath } from 'node:url'

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url))
export const kugetsuProgram = fileURLToPath(new URL('../../bin/kugetsu.js', import.meta.url))
