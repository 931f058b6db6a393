/**
 * Reads objects of state files by a table of their fields: what each may be, and its value when the file has none. The type,
 * the defaults and the reading follow from the table. Unknown fields are kept.
 */

/** The value in the form it is used in; undefined when it is not valid. */
export type Read<T> = (value: unknown) => T | undefined

export interface Field<T> {
  read: Read<T>
  /** The value when the field is absent (undefined) or null; undefined when it may not be. */
  otherwise: (given: null | undefined) => T | undefined
  /** An absent field stays absent. */
  optional?: true
}

interface OptionalField<T> extends Field<T> {
  optional: true
}

type Fields = Record<string, Field<unknown>>
type Value<F> = F extends Field<infer T> ? T : never

/** The object that a table describes. */
export type Described<F> = {
  [Name in keyof F as F[Name] extends OptionalField<unknown> ? never : Name]: Value<F[Name]>
} & {
  [Name in keyof F as F[Name] extends OptionalField<unknown> ? Name : never]?: Value<F[Name]> | undefined
} & {
  [field: string]: unknown
}

/** A field with values that are used unchanged. */
export function field<T>(is: (value: unknown) => boolean, otherwise: () => T): Field<T> {
  return { read: (value) => (is(value) ? (value as T) : undefined), otherwise }
}

/** A field that must be there. */
export function required<T>(read: Read<T>): Field<T> {
  return { read, otherwise: () => undefined }
}

/** A field that may be absent, and may not be null. */
export function optional<T>(read: Read<T>): OptionalField<T> {
  return { read, otherwise: () => undefined, optional: true }
}

/** A field that may be absent or null, and stays so. */
export function nullish<T>(read: Read<T>): OptionalField<T | null> {
  return { read, otherwise: () => null, optional: true }
}

/** A field that may be null, and may not be absent. */
export function nullable<T>(read: Read<T>): Field<T | null> {
  return { read, otherwise: (given) => given }
}

/** A field with a value for when it is absent; it may not be null. */
export function withDefault<T>(read: Read<T>, value: () => NoInfer<T>): Field<T> {
  return { read, otherwise: (given) => (given === undefined ? value() : undefined) }
}

export const text = field<string | null>(isText, () => null)
export const number = field<number | null>(Number.isFinite, () => null)

/** An object with fields of its own; null when it is absent. */
export function object<F extends Fields>(fields: F): Field<Described<F> | null> {
  return { read: anObject(fields), otherwise: () => null }
}

/** A list of what `read` reads; an empty list when it is absent. */
export function list<T>(read: Read<T>): Field<T[]> {
  return { read: aList(read), otherwise: () => [] }
}

export const aText: Read<string> = (value) => (isText(value) ? value : undefined)
export const aFilledText: Read<string> = (value) => (isText(value) && value !== '' ? value : undefined)
export const aNumber: Read<number> = (value) => (Number.isFinite(value) ? (value as number) : undefined)
export const anInteger: Read<number> = (value) => (Number.isSafeInteger(value) ? (value as number) : undefined)
export const aBoolean: Read<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)

/** One of the given texts. */
export function oneOf<const T extends string>(...texts: readonly T[]): Read<T> {
  return (value) => texts.find((each) => each === value)
}

export function anObject<F extends Fields>(fields: F): Read<Described<F>> {
  return (value) => readFields(fields, value)
}

export function aList<T>(read: Read<T>): Read<T[]> {
  return (value) => {
    if (!Array.isArray(value)) return undefined
    const items = value.map((each) => read(each))
    if (items.includes(undefined)) return undefined
    return items.every((item, at) => item === value[at]) ? value : (items as T[])
  }
}

/** An object in which every field is a text. */
export const texts: Read<Record<string, string>> = (value) =>
  isObject(value) && Object.values(value).every(isText) ? (value as Record<string, string>) : undefined

export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An object of the table with every field absent. */
export function defaultsOf<F extends Fields>(fields: F): Described<F> {
  const values = Object.entries(fields).map(([name, { otherwise }]) => [name, otherwise(undefined)])
  return Object.fromEntries(values) as Described<F>
}

/**
 * `value` with all fields of the table, the same object when nothing was filled in; undefined when it is not such an object.
 */
export function readFields<F extends Fields>(fields: F, value: unknown): Described<F> | undefined {
  if (!isObject(value)) return undefined
  let whole = value
  for (const name in fields) {
    const given = whole[name]
    const field = fields[name] as Field<unknown>
    if (given === undefined && field.optional) continue
    const read = given === undefined || given === null ? field.otherwise(given) : field.read(given)
    if (read === undefined) return undefined
    if (read === given) continue
    if (whole === value) whole = { ...whole }
    whole[name] = read
  }
  return whole as Described<F>
}

/** The first missing or invalid field of `value`. */
export function wrongField(fields: Fields, value: Record<string, unknown>): string | undefined {
  return Object.entries(fields).find(([name, field]) => readFields({ [name]: field }, value) === undefined)?.[0]
}
