import type { Home } from '../config/home.ts'
import type { Driver } from './driver.ts'

/** Which of these sessions a driver's store has, read without a server; undefined when that cannot be told. */
export function knownSessions(driver: Driver, home: Home, ids: readonly string[]): Set<string> | undefined {
  try {
    const look = driver.lookAtStore(home)
    return look === undefined || look.missing.includes('id')
      ? undefined
      : new Set(ids.filter((id) => look.sessions.has(id)))
  } catch {
    return undefined
  }
}
