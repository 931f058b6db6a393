/**
 * A value made at its first use. For schemas that a command may not need: making one takes as long as reading a dozen files.
 */
export function lazy<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}
