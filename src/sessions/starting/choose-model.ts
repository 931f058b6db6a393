/** The model of an agent: the one it is started with, else what opencode is set to now, else what its session has. */
import type { Settings } from '../../config/settings.ts'
import { awaitedLater } from '../../core/awaited-later.ts'
import { KugetsuError } from '../../core/errors.ts'
import type { Client } from '../../opencode/api/client.ts'
import { badSetting, type Place } from './configured.ts'

/**
 * The model to name in the prompt, as `provider/model`; undefined for that of the session. A fork is told, because it
 * would go on with the model of the base session, which may be an old one. `providers` is KUGETSU_MODEL_PROVIDERS.
 *
 * opencode takes a prompt for a model that it does not have, and tells of the failure once, to whoever listens at that
 * moment. So it is asked before. Throws KugetsuError `unknown_model`, or where it is a setting `bad_model_setting` or
 * `bad_repository_config`.
 */
export async function modelFor(
  client: Client,
  wanted: Place & { asked: string | undefined; forked: boolean; providers: Settings['modelProviders'] },
): Promise<string | undefined> {
  if (wanted.asked === undefined && !wanted.forked) return undefined
  // At the same time, because it has read what it needs for that anyway by the first prompt.
  const present = awaitedLater(client.providers(wanted.directory))
  const model = wanted.asked ?? (await wanted.configuration).model
  if (model?.includes('/') !== true || isAmong((await present).providers, model)) return model
  const { providers } = wanted
  const isLeftOut = typeof providers !== 'string' && !providers.some((id) => model.startsWith(`${id}/`))
  const hint = isLeftOut
    ? `KUGETSU_MODEL_PROVIDERS leaves its provider out (${providers.join(',')})`
    : '"opencode models" lists those there are'
  if (wanted.asked !== undefined) {
    throw new KugetsuError(`opencode has no model ${model}`, { hint: `${hint}.`, code: 'unknown_model' })
  }
  throw await badSetting(client, wanted, {
    name: 'model',
    why: 'which it does not have',
    hint,
    code: 'bad_model_setting',
  })
}

/** Whether opencode can use a model in that directory. */
export async function hasModel(client: Client, directory: string, model: string): Promise<boolean> {
  return isAmong((await client.providers(directory)).providers, model)
}

function isAmong(providers: { id: string; models: object }[], model: string): boolean {
  const slash = model.indexOf('/')
  const provider = providers.find(({ id }) => id === model.slice(0, slash))
  return provider !== undefined && Object.hasOwn(provider.models, model.slice(slash + 1))
}
