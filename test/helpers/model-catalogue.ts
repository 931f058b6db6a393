/** A catalogue of models as opencode keeps it in its cache: https://models.dev/api.json, with the scripted model behind all. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from './home.ts'

/** Where opencode keeps it. */
export function catalogueFile(home: Home): string {
  return path.join(home.env['XDG_CACHE_HOME'] ?? '', 'opencode', 'models.json')
}

/** Replaces it: the names of models by provider. `<ID>_KEY` in the environment is the login to a provider. */
export function writeCatalogue(home: Home, url: string, providers: Record<string, readonly string[]>): void {
  const catalogue = Object.entries(providers).map(([id, names]) => [id, provider(id, url, names)] as const)
  fs.mkdirSync(path.dirname(catalogueFile(home)), { recursive: true })
  fs.writeFileSync(catalogueFile(home), JSON.stringify(Object.fromEntries(catalogue)))
}

function provider(id: string, api: string, names: readonly string[]): object {
  const model = {
    attachment: false,
    reasoning: false,
    tool_call: true,
    temperature: true,
    release_date: '2026-01-01',
    last_updated: '2026-01-01',
    modalities: { input: ['text'], output: ['text'] },
    open_weights: false,
    limit: { context: 100_000, output: 1000 },
  }
  const models = Object.fromEntries(names.map((name) => [name, { id: name, name, ...model }]))
  return { id, name: id, env: [`${id.toUpperCase()}_KEY`], npm: '@ai-sdk/openai-compatible', api, models }
}
