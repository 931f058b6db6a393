/** Reads fields of data from outside. Pure. */

/** The string at `key`, if `data` is an object that has one there. */
export function textAt(data: unknown, key: string): string | undefined {
  const value = valueAt(data, key)
  return typeof value === 'string' ? value : undefined
}

export function numberAt(data: unknown, key: string): number | undefined {
  const value = valueAt(data, key)
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

export function recordAt(data: unknown, key: string): Record<string, unknown> | undefined {
  const value = valueAt(data, key)
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

export function listAt(data: unknown, key: string): unknown[] {
  const value = valueAt(data, key)
  return Array.isArray(value) ? value : []
}

function valueAt(data: unknown, key: string): unknown {
  return typeof data === 'object' && data !== null && Object.hasOwn(data, key)
    ? (data as Record<string, unknown>)[key]
    : undefined
}

/** Whether the `time` of a part or a state has its `end`. */
export function isTimed(data: unknown): boolean {
  return numberAt(recordAt(data, 'time'), 'end') !== undefined
}
