import { describe, expect, it } from 'vitest'
import { runServerAdd } from '../../../../src/cli/commands/set-up/server.ts'
import { createFakeContext } from '../../../helpers/fake-context.ts'

/** What `server add` prints for a server without a forge. */
async function addedPlain(terminal: boolean): Promise<string> {
  const context = createFakeContext()
  try {
    await runServerAdd({ ...context, io: { ...context.io, terminal } }, { name: 'disk', url: 'file:///srv/git' })
    return context.out()
  } finally {
    context.cleanup()
  }
}

describe('server add', () => {
  it('says on a terminal what a server without a forge lacks, and keeps the word of 0.1.0 in a pipe', async () => {
    expect(await addedPlain(true)).toBe('Added git server disk: file:///srv/git (plain git: no pull requests)\n')
    expect(await addedPlain(false)).toBe('Added git server disk: file:///srv/git (unknown)\n')
  })
})
