import * as z from 'zod/mini'
import { lazy } from '../core/lazy.ts'

/** The same as anIdentity(), for schemas. */
export const processIdentity = lazy(() =>
  z.looseObject({
    pid: z.int().check(z.positive()),
    start_time: z.string(),
    boot_id: z.string(),
    pid_namespace: z.string(),
  }),
)
