import { lazy } from '../core/lazy.ts'
import type { Queue } from './queue.ts'

/** The queue of `load`, loaded at its first use: most commands need none. */
export function loadedLater(load: () => Promise<Queue>): Queue {
  const queue = lazy(load)
  return {
    add: async (...given) => (await queue()).add(...given),
    get: async (...given) => (await queue()).get(...given),
    ids: async () => (await queue()).ids(),
    list: async (...given) => (await queue()).list(...given),
    each: async (...given) => (await queue()).each(...given),
    counts: async () => (await queue()).counts(),
    take: async (...given) => (await queue()).take(...given),
    change: async (...given) => (await queue()).change(...given),
    settle: async (...given) => (await queue()).settle(...given),
    remove: async (...given) => (await queue()).remove(...given),
    watch: async (...given) => (await queue()).watch(...given),
    inspect: async (...given) => (await queue()).inspect(...given),
  }
}
