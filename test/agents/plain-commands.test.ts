import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { callsIn } from '../../src/agents/plain-commands.ts'

const plain = [
  'kugetsu list',
  'kugetsu start github.com/a/b#1 "fix it: a -> b, (x), {y}; 5 > 3 & more | less"',
  "kugetsu start github.com/a/b#1 'costs $5, `code`, $(x)'",
  'kugetsu start a/b#1 "it costs \\$5" --queue',
  "kugetsu start a/b#1 - <<'END'\nseveral > lines\n$(rm) `x` 'open\nEND\nkugetsu list",
  "kugetsu start a/b#1 - --queue <<'END'\nEND",
  'kugetsu start a/b#1 \\\n  "over two lines"',
  'cd /tmp/x && git remote -v',
  'kugetsu list --json | jq ".[] | .state" | head -3',
  'kugetsu list --json | jq \'.[] | select(.state == "running") | .issue_ref\'',
  'git log --oneline -5; git status',
  'git show HEAD@{1}',
  'kugetsu list 2>/dev/null',
  'kugetsu list 2>&1 | tail -3',
  'kugetsu list >/dev/null && kugetsu status',
  '# what is there\nkugetsu list # all of it',
  'kugetsu continue a/b#1 "it\'s"',
  '',
]
const other = [
  'kugetsu list > /tmp/file',
  'kugetsu list >> file',
  'kugetsu list >|file',
  'kugetsu list &> file',
  'kugetsu list 1>/dev/nullx',
  'kugetsu list a>/dev/null',
  '> file',
  ': > file',
  'kugetsu list < file',
  'kugetsu start a/b#1 - <<END\n$(touch file)\nEND',
  'kugetsu start a/b#1 - <<<x',
  "kugetsu start a/b#1 - <<'END'\nno end",
  "kugetsu start a/b#1 - <<'END'\nEND\ntouch file",
  'A=b kugetsu list',
  'A=b',
  'export GIT_CONFIG_COUNT=1',
  'export GIT_CONFIG_COUNT=1; git status',
  'kugetsu start a/b#1 "$(touch file)"',
  'kugetsu start a/b#1 "`touch file`"',
  'kugetsu start a/b#1 `touch file`',
  'kugetsu start a/b#1 $(touch file)',
  'kugetsu start a/b#1 "$GITEA_TOKEN"',
  'kugetsu start a/b#1 ${HOME}',
  "kugetsu start a/b#1 $'x'",
  'kugetsu list & touch file',
  'kugetsu list &',
  'kugetsu list || touch file',
  'kugetsu list | tee file',
  'kugetsu list |& tee file',
  'kugetsu list\ntouch file',
  'kugetsu list;touch file',
  '(touch file)',
  '{ touch file; }',
  'kugetsu () { touch file; }',
  'if true; then touch file; fi',
  'for a in b; do touch file; done',
  '! touch file',
  'eval "touch file"',
  '"touch" file',
  't\\ouch file',
  'kugetsu list "open',
  "kugetsu list 'open",
  'kugetsu list <(touch file)',
  '\\\ntouch file',
  "'' touch file",
]

test.each(plain)('takes %j', (command) => expect(callsIn(command)).toHaveProperty('calls'))
test.each(other)('refuses %j', (command) => expect(callsIn(command)).toHaveProperty('problem'))

test.each([
  ['kugetsu list', ['kugetsu list']],
  [' cd x && git log "a; b" | head -3 ; git status', ['cd x', 'git log "a; b"', 'head -3', 'git status']],
  ["kugetsu start a/b#1 - <<'END'\ntext\nEND\nkugetsu list", ["kugetsu start a/b#1 - <<'END'", 'kugetsu list']],
  ['# what is there\nkugetsu list # all\n\n', ['kugetsu list']],
  ['kugetsu list 2>/dev/null || git log', ['kugetsu list 2>/dev/null', 'git log']],
  ['', []],
])('%j calls %j', (command, calls) => expect(callsIn(command)).toEqual({ calls }))

describe('a real shell', () => {
  let directory: string
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'plain-'))
    for (const program of ['kugetsu', 'git', 'head', 'tail', 'jq']) {
      fs.writeFileSync(path.join(directory, program), `#!/bin/sh\necho ${program} >> calls\n`, { mode: 0o755 })
    }
  })
  afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

  test.each(plain)('does nothing with %j but call what it names', (command) => {
    const own = fs.readdirSync(directory)
    // `cd` elsewhere would only move where the calls are noted.
    execFileSync('bash', ['-c', command.replace('cd /tmp/x', 'cd .')], {
      cwd: directory,
      env: { PATH: `${directory}:/usr/bin:/bin` },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    expect(fs.readdirSync(directory).filter((name) => name !== 'calls')).toEqual(own)
  })
})
