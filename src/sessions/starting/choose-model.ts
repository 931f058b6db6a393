/** The model of an agent: the one it is started with, else opencode's current setting, else the one of its session. */
import type { Settings } from '../../config/settings.ts'
import { awaitedLater } from '../../core/awaited-later.ts'
import { KugetsuError } from '../../core/errors.ts'
import type { Client } from '../../driver/client.ts'
import { badSetting, type Place } from './configured.ts'

/**
 * The model to name in the prompt, as `provider/model`; undefined keeps the session's model. For a fork the model is
 * named, because the fork would go on with the base session's model, which may be outdated. `providers` is
 * KUGETSU_MODEL_PROVIDERS.
 *
 * opencode accepts a prompt for a model that it does not have, and reports the failure only once, as an event. So the
 * model is checked first. Throws KugetsuError `unknown_model`, or for a model from a setting `bad_model_setting` or
 * `bad_repository_config`.
 */
export async function modelFor(
  client: Client,
  wanted: Place & { asked: string | undefined; forked: boolean; providers: Settings['modelProviders'] },
): Promise<string | undefined> {
  if (wanted.asked === undefined && !wanted.forked) return undefined
  // Asked at the same time: opencode has to load this for the first prompt anyway.
  const present = awaitedLater(client.usable(wanted.directory))
  const model = wanted.asked ?? (await wanted.defaults).model
  if (model?.includes('/') !== true || (await present).has(model)) return model
  const { providers } = wanted
  const isLeftOut = typeof providers !== 'string' && !providers.some((id) => model.startsWith(`${id}/`))
  const hint = isLeftOut
    ? `KUGETSU_MODEL_PROVIDERS leaves its provider out (${providers.join(',')})`
    : '"opencode models" lists its models'
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
