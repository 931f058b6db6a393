/** opencode's answer about its models (`GET /provider`). */
import * as z from 'zod/mini'

const flags = () => z.optional(z.record(z.string(), z.boolean()))
const model = z.looseObject({
  id: z.string(),
  name: z.optional(z.string()),
  family: z.optional(z.string()),
  api: z.optional(z.looseObject({ npm: z.optional(z.string()), url: z.optional(z.string()) })),
  status: z.optional(z.string()),
  cost: z.optional(
    z.looseObject({
      input: z.optional(z.number()),
      output: z.optional(z.number()),
      cache: z.optional(z.looseObject({ read: z.optional(z.number()), write: z.optional(z.number()) })),
    }),
  ),
  limit: z.optional(z.looseObject({})),
  capabilities: z.optional(
    z.looseObject({
      temperature: z.optional(z.boolean()),
      reasoning: z.optional(z.boolean()),
      attachment: z.optional(z.boolean()),
      toolcall: z.optional(z.boolean()),
      input: flags(),
      output: flags(),
      interleaved: z.optional(z.unknown()),
    }),
  ),
  release_date: z.optional(z.string()),
  variants: z.optional(z.record(z.string(), z.unknown())),
})
export type AnsweredModel = z.infer<typeof model>

export const answeredModels = z.looseObject({
  all: z.array(
    z.looseObject({
      id: z.string(),
      name: z.optional(z.string()),
      env: z.optional(z.array(z.string())),
      models: z.record(z.string(), model),
    }),
  ),
})
export type AnsweredProvider = z.infer<typeof answeredModels>['all'][number]
