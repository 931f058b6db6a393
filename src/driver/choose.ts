/** Which driver a home, a program or a state file has. Only this file imports the drivers. */
import type { Home } from '../config/home.ts'
import { KugetsuError } from '../core/errors.ts'
import { compare } from '../core/versions.ts'
import { opencode } from '../opencode/driver.ts'
import { opencode2 } from '../opencode2/driver.ts'
import { jsonOf } from '../platform/soft-json.ts'
import type { Driver } from './driver.ts'

const drivers: readonly Driver[] = [opencode, opencode2]

export const oldestVersion = opencode.versions.from

/** The versions of the program that kugetsu works with, for a person: `1.2 to 1.x`. */
export const supportedVersions = drivers.map(({ versions }) => `${versions.from} to ${versions.named}`).join(', ')

/**
 * The driver of a home's base session, and so of its agents. A home is moved to another one by its next server, when the
 * program has changed. Reads the index only. Throws as driverNamed().
 */
export function driverFor(home: Pick<Home, 'paths'>): Driver {
  return driverNamed(jsonOf(home.paths.index)['driver'])
}

/** The driver with this name in a state file; a file without one was written for opencode 1. Throws KugetsuError. */
export function driverNamed(name: unknown): Driver {
  const found = drivers.find(({ kind }) => kind === (name ?? opencode.kind))
  if (found !== undefined) return found
  throw new KugetsuError('this home is used with a kind of opencode that this kugetsu does not know', {
    hint: 'A newer kugetsu wrote it: upgrade with "npm install -g kugetsu".',
    code: 'unknown_driver',
  })
}

/** The driver for a version of the program; `too old` or undefined where there is none. */
export function driverOfVersion(version: string): Driver | 'too old' | undefined {
  if (compare(version, oldestVersion) < 0) return 'too old'
  return drivers.find(({ versions }) => compare(version, versions.from) >= 0 && compare(version, versions.below) < 0)
}

/** Called once by a long-lived process: reads now the files that an upgrade of kugetsu would replace under it. */
export function preload(): void {
  for (const driver of drivers) driver.preload()
}

/** How a state file names a driver; opencode 1 has no name there, as in the files of older versions. */
export function nameInFiles({ kind }: Driver): string | undefined {
  return kind === opencode.kind ? undefined : kind
}

/** Whether a state file, or a part of one, was written for this driver. */
export function isOf(driver: Driver, file: { driver?: string | null | undefined }): boolean {
  return (file.driver ?? opencode.kind) === driver.kind
}
