/**
 * Reads objects of state files by a table of their fields: what each may be, and its value when the file has none. The type,
 * the defaults and the reading follow from the table. Unknown fields are kept.
 */

export interface Field<T> {
  /** The value in the form it is used in; undefined when it is not valid. */
  read: (value: unknown) => T | undefined
  /** The value when the field is absent or null. */
  otherwise: () => T
}

type Fields = Record<string, Field<unknown>>

/** The object that a table describes. */
export type Described<F> = { [Name in keyof F]: F[Name] extends Field<infer T> ? T : never } & {
  [field: string]: unknown
}

/** A field whose values are used as they are. */
export function field<T>(is: (value: unknown) => boolean, otherwise: () => T): Field<T> {
  return { read: (value) => (is(value) ? (value as T) : undefined), otherwise }
}

export const text = field<string | null>(isText, () => null)
export const number = field<number | null>(Number.isFinite, () => null)

/** An object with fields of its own; null when it is absent. */
export function object<F extends Fields>(fields: F): Field<Described<F> | null> {
  return { read: (value) => readFields(fields, value), otherwise: () => null }
}

/** A list of what `read` reads; an empty list when it is absent. */
export function list<T>(read: (value: unknown) => T | undefined): Field<T[]> {
  return {
    read: (value) => {
      if (!Array.isArray(value)) return undefined
      const items = value.map(read)
      if (items.includes(undefined)) return undefined
      return items.every((item, at) => item === value[at]) ? value : (items as T[])
    },
    otherwise: () => [],
  }
}

export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** An object of the table with every field absent. */
export function defaultsOf<F extends Fields>(fields: F): Described<F> {
  return Object.fromEntries(Object.entries(fields).map(([name, { otherwise }]) => [name, otherwise()])) as Described<F>
}

/**
 * `value` with all fields of the table, the same object when nothing was filled in; undefined when it is not such an object.
 */
export function readFields<F extends Fields>(fields: F, value: unknown): Described<F> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  let whole = value as Record<string, unknown>
  for (const name in fields) {
    const given = whole[name]
    const field = fields[name] as Field<unknown>
    const read = given === undefined || given === null ? field.otherwise() : field.read(given)
    if (read === undefined) return undefined
    if (read === given) continue
    if (whole === value) whole = { ...whole }
    whole[name] = read
  }
  return whole as Described<F>
}
