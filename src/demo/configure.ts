import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Stage } from './stage.ts'

/** Gives the throwaway user a kugetsu configuration with that limit, and an opencode that uses the model at `modelUrl`. */
export function configure(stage: Stage, options: { limit: number; modelUrl: string }): void {
  const kugetsu = [
    `MAX_CONCURRENT_AGENTS=${options.limit}`,
    // The git daemon knows no pull requests.
    'WORKTREE_CHECK_PR_STATUS=false',
    // If the demo is killed outright, what it started ends soon.
    'KUGETSU_SERVER_IDLE_MINUTES=1',
  ]
  fs.writeFileSync(stage.paths.config, `${kugetsu.join('\n')}\n`, { mode: 0o600 })

  const opencode = {
    model: 'demo/script',
    small_model: 'demo/script',
    autoupdate: false,
    share: 'disabled',
    lsp: false,
    formatter: false,
    provider: {
      demo: {
        npm: '@ai-sdk/openai-compatible',
        options: { baseURL: options.modelUrl, apiKey: 'none' },
        models: { script: { name: 'A script', tool_call: true, limit: { context: 200_000, output: 8_000 } } },
      },
    },
  }
  const directory = path.join(stage.root, '.config', 'opencode')
  fs.mkdirSync(directory, { recursive: true })
  fs.writeFileSync(path.join(directory, 'opencode.json'), `${JSON.stringify(opencode, undefined, 2)}\n`)
}
