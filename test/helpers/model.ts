import {
  startScriptedModel,
  type ModelRequest,
  type ScriptedModel,
  type ScriptedModelOptions,
} from '../../src/demo/scripted-model.ts'
import { waitFor } from './wait-for.ts'

export interface TestModel extends ScriptedModel {
  /** The agents' requests so far whose last user message contains `text`, oldest first; all without it. */
  turns: (text?: string) => ModelRequest[]
  /** Waits for the first such request. */
  turn: (text: string) => Promise<ModelRequest>
}

/** Starts the scripted model; close() it when the test is done. */
export async function startModel(options: ScriptedModelOptions = {}): Promise<TestModel> {
  const model = await startScriptedModel(options)
  const turns = (text = '') => model.requests.filter((request) => request.agentTurn && request.asked.includes(text))
  return {
    ...model,
    turns,
    turn: (text) => waitFor(`an agent that asks the model about ${JSON.stringify(text)}`, () => turns(text)[0]),
  }
}

/** An opencode configuration whose only model is the scripted one at `url`. */
export function opencodeConfig(url: string): object {
  return {
    model: 'scripted/one',
    small_model: 'scripted/one',
    autoupdate: false,
    share: 'disabled',
    provider: {
      scripted: {
        npm: '@ai-sdk/openai-compatible',
        options: { baseURL: url, apiKey: 'none' },
        // Costs are in dollars per million tokens: every answer costs a little, so that costs can be seen to add up.
        models: {
          one: {
            name: 'One',
            tool_call: true,
            limit: { context: 200_000, output: 8_000 },
            cost: { input: 1, output: 2 },
          },
        },
      },
    },
  }
}
