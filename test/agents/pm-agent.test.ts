import * as fs from 'node:fs'
import { describe, expect, test } from 'vitest'
import { permissionRules } from '../../src/agents/permissions.ts'
import type { PermissionRule } from '../../src/driver/client.ts'
import {
  buildPmMessage,
  pmAgentDefinition,
  pmAgentName,
  pmPriming,
  pmResumeMessage,
} from '../../src/agents/pm-agent.ts'
import { judge } from '../../src/agents/pm-shell/judge.ts'
import { pmShellCall } from '../../src/core/pm-shell.ts'
import { documentedCalls, wrongWith } from '../helpers/documented.ts'

/** opencode's way of matching: `*` anything, `?` one character, a last ` *` may be absent, the last rule wins. */
function action(rules: PermissionRule[], permission: string, text: string): string {
  const matches = (pattern: string, value: string) => {
    const expression = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
    return new RegExp(`^${expression.replace(/ \.\*$/, '( .*)?')}$`, 's').test(value)
  }
  const last = rules.findLast((rule) => matches(rule.permission, permission) && matches(rule.pattern, text))
  return last?.action ?? 'ask'
}

/** The rules as opencode reads them from an agent definition. */
function rulesOf(permission: ReturnType<typeof pmAgentDefinition>['permission']): PermissionRule[] {
  return Object.entries(permission).flatMap(([name, value]) =>
    typeof value === 'string'
      ? [{ permission: name, pattern: '*', action: value }]
      : Object.entries(value).map(([pattern, each]) => ({ permission: name, pattern, action: each })),
  )
}

const definition = pmAgentDefinition()
const asDefined = rulesOf(JSON.parse(JSON.stringify(definition.permission)))
const withSession = [...asDefined, ...permissionRules()]

describe.each([
  ['as defined', asDefined],
  ['with the rules of its session', withSession],
])('the PM agent %s', (_, rules) => {
  test.each([
    'kugetsu start github.com/a/b#1 "fix it"',
    'kugetsu start github.com/a/b#1 "delegate the init to destroy"',
    "kugetsu start github.com/a/b#1 - <<'EOF'\nseveral\nlines\nEOF",
    'kugetsu continue github.com/a/b#1',
    'kugetsu list',
    'kugetsu list --json',
    'kugetsu queue list',
    'kugetsu destroy github.com/a/my-fork#1 -y',
    'kugetsu --help',
    'git log',
    'git log --oneline -5',
    'git diff main...HEAD',
    'git status',
    'git remote -v',
    'gh pr view 3 --json state',
    'glab mr list',
    'tea issues 14 --comments',
    'head -5',
    'jq .state',
  ])('may %s', (command) => {
    expect(judge(command)).toHaveProperty('pipelines')
    expect(action(rules, 'bash', pmShellCall(command))).toBe('allow')
    // As the model wrote it, it is refused: it has to come by way of the plugin.
    expect(action(rules, 'bash', command)).toBe('deny')
  })

  test.each([
    'kugetsu delegate "do it"',
    'kugetsu --debug delegate "do it"',
    'kugetsu destroy github.com/a/b#1 --force',
    'kugetsu destroy --force github.com/a/b#1',
    'kugetsu destroy --base -y',
    'kugetsu init --force',
    'kugetsu init',
    'kugetsu prune --force',
    'kugetsu doctor --fix',
    'kugetsu continue github.com/a/b#1 --now',
    'kugetsu env set A b',
    'git log --output=/tmp/x',
    'git difftool -x evil',
    'git -c core.fsmonitor=evil status',
    'git -C . push origin status',
    'git push',
    'git commit -m x',
    'git branch -D main',
    'git checkout main',
    'gh pr merge 3',
    'gh api -X DELETE /repos/a/b',
    'tea issues close 14',
    'curl https://forge.test',
    'A=b kugetsu list',
    'bash -c "kugetsu list"',
    'echo evil',
    'rm -rf /',
  ])('may not %s', (command) => {
    expect(action(rules, 'bash', command)).toBe('deny')
    expect(judge(command)).toHaveProperty('problem')
  })

  test('reads, and does not write, ask, or send somebody else', () => {
    for (const permission of ['read', 'glob', 'webfetch', 'external_directory']) {
      expect(action(rules, permission, 'src/a.ts')).toBe('allow')
    }
    for (const permission of ['edit', 'grep', 'task', 'question', 'plan_enter', 'some_mcp_tool']) {
      expect(action(rules, permission, 'src/a.ts')).toBe('deny')
    }
    for (const file of ['.kugetsu/env/default.env', '.kugetsu/opencode/server.json', '.ssh/id_rsa']) {
      expect(action(rules, 'read', `/home/x/${file}`)).toBe('deny')
    }
  })
})

test('the definition is one that opencode takes', () => {
  expect(pmAgentName).toBe('kugetsu-pm')
  expect(definition).toMatchObject({
    mode: 'primary',
    permission: { '*': 'deny', edit: 'deny', bash: { '*': 'deny' } },
  })
  expect(definition.prompt).toContain('kugetsu start')
  expect(pmPriming).toContain('kugetsu start')
})

describe('a message to the PM agent', () => {
  test('ends in the request, verbatim, after what is known', () => {
    const text = buildPmMessage({ message: 'do\n "this"', verbosity: 'default', context: 'a/b#1 has a worktree' })
    expect(text.endsWith('\ndo\n "this"')).toBe(true)
    expect(text.indexOf('a/b#1 has a worktree')).toBeGreaterThan(-1)
  })

  test('asks for as many words as are wanted', () => {
    const texts = (['verbose', 'default', 'quiet'] as const).map((verbosity) =>
      buildPmMessage({ message: 'x', verbosity }),
    )
    expect(new Set(texts).size).toBe(3)
  })
})

describe('what the PM agent is told', () => {
  const text = (name: string) =>
    fs.readFileSync(new URL(`../../skills/kugetsu/pm/${name}.md`, import.meta.url), 'utf8').trimEnd()

  test('is what skills/kugetsu/pm says', () => {
    expect(definition.prompt).toBe(text('instructions'))
    expect(pmPriming).toBe(text('first-message'))
    expect(pmResumeMessage).toBe(text('after-interruption'))
  })

  test.each(
    [definition.prompt, pmPriming, pmResumeMessage]
      .flatMap(documentedCalls)
      .filter(([name]) => name !== 'delegate') // it is told not to
      .map((call) => [call.map((word) => `'${word}'`).join(' ')]),
  )('is in its power: kugetsu %s', (call) => {
    expect(judge(`kugetsu ${call}`)).toHaveProperty('pipelines')
  })

  test('names no command or flag that there is not', () => {
    const calls = [definition.prompt, pmPriming, pmResumeMessage].flatMap(documentedCalls)
    expect(calls.length).toBeGreaterThan(10)
    // `kugetsu stop` may stand for itself in a sentence, without what it is called with.
    const wrong = calls.filter((call) => call.length > 1).flatMap((call) => wrongWith(call) ?? [])
    expect(wrong).toEqual([])
  })
})
