import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { renderError } from '../../../src/cli/terminal/render-error.ts'
import { KugetsuError } from '../../../src/core/errors.ts'
import { createFakeContext, type FakeContext } from '../../helpers/fake-context.ts'

let context: FakeContext
beforeEach(() => {
  context = createFakeContext()
})
afterEach(() => context.cleanup())

const plain = { json: false, debug: false }
const mendable = new KugetsuError('it is\nbroken', { hint: 'Mend it.', code: 'broken', exitCode: 2 })

describe('an error', () => {
  it('that a user can mend is one line and a hint, without a stack', () => {
    expect(renderError(context, mendable, plain)).toBe(2)
    expect(context.err()).toBe('Error: it is broken\nHint: Mend it.\n')
    expect(context.out()).toBe('')
  })

  it('without a hint is one line', () => {
    expect(renderError(context, new KugetsuError('no'), plain)).toBe(1)
    expect(context.err()).toBe('Error: no\n')
  })

  it('that is a defect says so, still without a stack', () => {
    expect(renderError(context, new TypeError('x is not a function'), plain)).toBe(1)
    expect(context.err()).toMatch(/^Error: unexpected: x is not a function\nHint: .*--debug.*\n$/)
    expect(renderError(context, 'a string', plain)).toBe(1)
    expect(context.err()).toContain('unexpected: a string')
  })

  it('shows its stack and those of its causes with --debug', () => {
    const cause = new Error('the cause')
    renderError(context, new KugetsuError('on top', { cause }), { json: false, debug: true })
    expect(context.err()).toContain('render-error.test.ts')
    expect(context.err()).toContain('Error: the cause')
  })

  it('is one document on standard output with --json, with the same exit code', () => {
    expect(renderError(context, mendable, { json: true, debug: false })).toBe(2)
    expect(JSON.parse(context.out())).toEqual({ error: { message: 'it is broken', hint: 'Mend it.', code: 'broken' } })
    expect(context.err()).toBe('')
  })

  it('as JSON always has all fields', () => {
    renderError(context, new KugetsuError('no'), { json: true, debug: false })
    expect(JSON.parse(context.out())).toEqual({ error: { message: 'no', hint: null, code: 'failed' } })
  })

  it('of an interrupted command is no error', () => {
    const abort = new AbortController()
    abort.abort()
    expect(renderError({ ...context, signal: abort.signal }, mendable, plain)).toBe(130)
    expect(context.err()).toBe('Interrupted\n')
  })
})
