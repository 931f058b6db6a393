import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { expect, test } from 'vitest'
import { judge } from '../../../src/agents/pm-shell/judge.ts'
import { pmShellCall } from '../../../src/core/pm-shell.ts'
import commands from '../../fixtures/pm-commands.json' with { type: 'json' }

test.each(commands.allowed)('takes %j', (command) => expect(judge(command)).toHaveProperty('pipelines'))
test.each(commands.refused)('refuses %j', (command) => expect(judge(command)).toHaveProperty('problem'))
test.each(commands.outside)('leaves %j to whoever looks at the disk', (command) =>
  expect(judge(command)).toHaveProperty('pipelines'),
)

test('says what is wrong in one line, without the whole command', () => {
  for (const command of [
    ...commands.refused,
    `kugetsu ${'x'.repeat(10_000)}`,
    `gh issue view 1 --${'y'.repeat(9000)}`,
  ]) {
    expect(judge(command)).toMatchObject({ problem: expect.stringMatching(/^[^\n]{5,300}$/) })
  }
})

test('a real shell is given one word to hand to kugetsu, whatever the command', () => {
  const directory = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'pm-shell-'))
  try {
    fs.writeFileSync(path.join(directory, 'kugetsu'), '#!/bin/bash\nprintf "%s\\0" "$#" "$@"\n', { mode: 0o755 })
    const all = [...commands.allowed, ...commands.refused, ...commands.outside]
    const script = all.map(pmShellCall).join('\n')
    const output = execFileSync('bash', ['-c', script], {
      cwd: directory,
      env: { PATH: `${directory}:/usr/bin:/bin` },
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    })
    expect(output.split('\0').slice(0, -1)).toEqual(all.flatMap((command) => ['2', 'pm-shell', command]))
    expect(fs.readdirSync(directory)).toEqual(['kugetsu'])
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
})
