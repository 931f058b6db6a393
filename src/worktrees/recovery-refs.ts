export const recoveryPrefix = 'refs/kugetsu/recovery/'

/** `refs/kugetsu/recovery/<name>/<time>`: outside of what a fetch prunes, and kept by gc. */
export function recoveryRef(name: string, now: Date): string {
  const safe = name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[.-]+|\.+$|\.lock$/g, '')
  return `${recoveryPrefix}${safe === '' ? 'unnamed' : safe}/${now.toISOString().replace(/[:.]/g, '-')}`
}
