import * as fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { documentedCalls, wrongWith } from '../helpers/documented.ts'

const text = fs.readFileSync(new URL('../../skills/kugetsu/SKILL.md', import.meta.url), 'utf8')
const [, head = '', body = ''] = /^---\n([^]*?)\n---\n([^]*)$/.exec(text) ?? []
const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(head)?.[1] ?? ''

describe('the skill', () => {
  it('begins as opencode and others read skills', () => {
    expect(field('name')).toBe('kugetsu')
    expect(field('name')).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
    expect(field('description').length).toBeGreaterThan(50)
    expect(field('description').length).toBeLessThanOrEqual(1024)
    expect(field('compatibility').length).toBeLessThanOrEqual(500)
    // YAML would take it for another mapping.
    expect(field('description')).not.toContain(': ')
  })

  const calls = [...new Set(documentedCalls(body).map((call) => call.join(' ')))]
  it('shows calls of most commands', () => {
    expect(calls.length).toBeGreaterThan(25)
  })

  it.each(calls.map((call) => [call]))('shows only what there is: kugetsu %s', (call) => {
    // What must never be called is named without its issue.
    const complete = /^(destroy|prune|continue|init) --(force|now)$/.test(call)
      ? call.replace('continue', 'continue x')
      : call
    expect(wrongWith(complete.split(' '))).toBeUndefined()
  })

  it('says of each flag that is for a person never to use it', () => {
    const never = body.slice(body.indexOf('\n## Never'))
    for (const call of ['destroy --force', 'prune --force', 'continue --now', 'init --force']) {
      expect(never).toContain(`\`kugetsu ${call}\``)
      expect(body.slice(0, body.indexOf('\n## Never'))).not.toContain(call.split(' ')[1])
    }
  })
})
