import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { mayHaveOpencode2 } from './test/helpers/opencode-2.ts'
import { opencode1Program } from './test/helpers/opencode.ts'
import { SummaryReporter } from './test/helpers/summary-reporter.ts'

/** As the bundler does it (rolldown.config.mjs). */
const markdownAsText = {
  name: 'markdown-as-text',
  enforce: 'pre' as const,
  load: (id: string) => (id.endsWith('.md') ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))}` : undefined),
}

/** Files that the other projects run on opencode 2, and that run on opencode 1 as well. */
const onOpencode1Too = [
  'e2e/main-job',
  'e2e/crash',
  'e2e/killed-start',
  'e2e/pm-agent',
  'faults/kill-anything',
  'faults/kill-random',
  'faults/clock',
  'faults/let-in',
]

// The one default export: vitest asks for it.
export default defineConfig({
  test: {
    reporters: ['default', new SummaryReporter()],
    projects: [
      {
        plugins: [markdownAsText],
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/faults/**'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          // They wait for git most of the time; vitest would leave one core to itself.
          maxWorkers: '100%',
        },
      },
      {
        plugins: [markdownAsText],
        test: {
          name: 'e2e',
          globalSetup: 'test/helpers/opencode-2.ts',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 240_000,
          // Each file starts real servers, half a gigabyte each: two files at a time, and after the unit tests.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        plugins: [markdownAsText],
        test: {
          name: 'faults',
          globalSetup: 'test/helpers/opencode-2.ts',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 240_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        plugins: [markdownAsText],
        test: {
          name: 'opencode-1',
          // Elsewhere the other projects run on opencode 1 already.
          include: mayHaveOpencode2() ? onOpencode1Too.map((name) => `test/${name}.test.ts`) : [],
          env: { KUGETSU_OPENCODE: opencode1Program },
          testTimeout: 240_000,
          hookTimeout: 240_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
