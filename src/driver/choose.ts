/** Which driver a home has. Only this file imports the drivers. */
import { opencode } from '../opencode/driver.ts'
import type { Driver } from './driver.ts'

/** The driver of a home's server, whether one runs or not. */
export function driverFor(): Driver {
  return opencode
}
