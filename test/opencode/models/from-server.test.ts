import { expect, it } from 'vitest'
import { answeredModels } from '../../../src/opencode/api/answered-models.ts'
import { asCatalogue } from '../../../src/opencode/models/from-server.ts'

it('puts an answer of opencode 1.18 back into the form of its catalogue', () => {
  const answer = {
    all: [
      {
        id: 'zen',
        name: 'Zen',
        source: 'custom',
        env: ['ZEN_KEY'],
        options: {},
        models: {
          quick: {
            id: 'quick',
            providerID: 'zen',
            name: 'Quick',
            family: 'q',
            api: { id: 'quick', url: 'https://zen.test/v1', npm: '@ai-sdk/openai-compatible' },
            status: 'beta',
            headers: { 'x-key': 'secret' },
            options: {},
            cost: { input: 1, output: 2, cache: { read: 0.5, write: 0 } },
            limit: { context: 1000, output: 100 },
            capabilities: {
              temperature: true,
              reasoning: true,
              attachment: false,
              toolcall: true,
              input: { text: true, image: true, audio: false },
              output: { text: true, image: false },
              interleaved: { field: 'reasoning_content' },
            },
            release_date: '2026-01-01',
            variants: { low: { reasoningEffort: 'low' }, high: { reasoningEffort: 'high' } },
          },
        },
      },
      { id: 'bare', models: { one: { id: 'one' } } },
    ],
    connected: [],
    default: {},
  }
  expect(JSON.parse(JSON.stringify(asCatalogue(answeredModels.parse(answer).all)))).toEqual({
    zen: {
      id: 'zen',
      name: 'Zen',
      env: ['ZEN_KEY'],
      npm: '@ai-sdk/openai-compatible',
      api: 'https://zen.test/v1',
      models: {
        quick: {
          id: 'quick',
          name: 'Quick',
          family: 'q',
          status: 'beta',
          release_date: '2026-01-01',
          attachment: false,
          reasoning: true,
          temperature: true,
          tool_call: true,
          interleaved: { field: 'reasoning_content' },
          reasoning_options: [{ type: 'effort', values: ['low', 'high'] }],
          modalities: { input: ['text', 'image'], output: ['text'] },
          cost: { input: 1, output: 2, cache_read: 0.5, cache_write: 0 },
          limit: { context: 1000, output: 100 },
          provider: { npm: '@ai-sdk/openai-compatible', api: 'https://zen.test/v1' },
        },
      },
    },
    bare: { id: 'bare', env: [], models: { one: expect.objectContaining({ id: 'one', tool_call: true }) } },
  })
})
