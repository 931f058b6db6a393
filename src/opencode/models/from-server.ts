/**
 * Converts opencode's answer about its models back into the catalogue that opencode reads, for when opencode has only its
 * built-in catalogue. The efforts of reasoning are guessed from the names of the variants.
 */
import type { AnsweredModel, AnsweredProvider } from '../api/answered-models.ts'
import type { Catalogue } from './catalogue.ts'

/** Providers of an answer, with their models, as opencode reads them. */
export function asCatalogue(providers: readonly AnsweredProvider[]): Catalogue {
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
