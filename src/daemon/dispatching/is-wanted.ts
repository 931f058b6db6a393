import * as fs from 'node:fs'
import type { Home } from '../../config/home.ts'

/** Whether tasks are to be taken from the queue, whichever daemon runs. */
export function isDispatchingWanted(home: Pick<Home, 'paths'>): boolean {
  return fs.existsSync(home.paths.dispatching)
}
