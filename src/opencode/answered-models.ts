/**
 * opencode's answer to what models there are (`GET /provider`), put back into the form of the catalogue that it reads:
 * for where it has that built into itself alone. What the form has for efforts of reasoning is guessed from their names.
 */
import * as z from 'zod/mini'
import type { Catalogue } from './catalogue.ts'

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
type AnsweredModel = z.infer<typeof model>

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

/** Providers of an answer, with their models, as opencode reads them. */
export function asCatalogue(providers: z.infer<typeof answeredModels>['all']): Catalogue {
  return Object.fromEntries(
    providers.map(({ id, name, env, models }) => {
      const { npm, url } = Object.values(models)[0]?.api ?? {}
      const known = Object.entries(models).map(([key, each]) => [key, asCatalogueModel(each)] as const)
      return [id, { id, name, env: env ?? [], npm, api: url, models: Object.fromEntries(known) }]
    }),
  )
}

function asCatalogueModel({ id, name, family, api, status, cost, capabilities, ...rest }: AnsweredModel): object {
  const named = (kinds: Record<string, boolean> = {}) => Object.keys(kinds).filter((kind) => kinds[kind])
  const efforts = Object.keys(rest.variants ?? {})
  return {
    id,
    name,
    family,
    status: status === 'active' ? undefined : status,
    release_date: rest.release_date ?? '',
    attachment: capabilities?.attachment ?? false,
    reasoning: capabilities?.reasoning ?? false,
    temperature: capabilities?.temperature ?? false,
    tool_call: capabilities?.toolcall ?? true,
    interleaved: capabilities?.interleaved || undefined,
    reasoning_options: efforts.length > 0 ? [{ type: 'effort', values: efforts }] : [],
    modalities: { input: named(capabilities?.input), output: named(capabilities?.output) },
    cost: {
      input: cost?.input ?? 0,
      output: cost?.output ?? 0,
      cache_read: cost?.cache?.read ?? 0,
      cache_write: cost?.cache?.write ?? 0,
    },
    limit: rest.limit,
    provider: { npm: api?.npm, api: api?.url },
  }
}
