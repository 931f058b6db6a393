import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isChangedByReading, unreadableConfiguration } from '../../../src/opencode/project-files.ts'
import { refusal } from '../../../src/opencode/api/refusal.ts'

let directory: string
beforeEach(() => (directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-refusal-'))))
afterEach(() => fs.rmSync(directory, { recursive: true }))

const at = (name: string) => path.join(directory, name)
const json = (name: string, data: object) => JSON.stringify({ name, data })

describe('what opencode says of a configuration that it cannot use', () => {
  it('names the file and the reason, without the text of the file', () => {
    const message =
      '\n--- JSONC Input ---\n{ "key": "secret"\n--- Errors ---\nInvalidSymbol at line 1, column 3\n   Line 1: {'
    const error = refusal(
      'GET /config',
      400,
      json('ConfigJsonError', { path: at('opencode.json'), message }),
      directory,
    )
    expect(error.message).toContain(`cannot read ${at('opencode.json')}: it is not JSON: InvalidSymbol at line 1`)
    expect(error.message).not.toContain('secret')
    expect(error.code).toBe('bad_repository_config')
  })

  it('says which values are wrong, and whose file it is', () => {
    const issues = [
      { path: ['agent', 'x', 'mode'], message: 'Expected string' },
      { message: 'Expected Config, got []' },
    ]
    const body = json('ConfigInvalidError', { path: '/home/me/.config/opencode/opencode.json', issues })
    // 1.2 answers the same with the status 500.
    for (const status of [400, 500]) {
      const error = refusal('GET /agent', status, body, directory)
      expect(error.message).toContain('agent.x.mode: Expected string; all of it: Expected Config')
      expect(error.code).toBe('bad_opencode_config')
    }
  })

  it.each([
    ['a directory', () => fs.mkdirSync(at('opencode.json')), /opencode\.json.*directory/],
    [
      'a link to itself',
      () => fs.symlinkSync('opencode.json', at('opencode.json')),
      /opencode\.json.*(ELOOP|symbolic)/,
    ],
    ['no text', () => fs.writeFileSync(at('opencode.json'), Buffer.from([0x7b, 0xff])), /opencode\.json.*UTF-8/],
  ])('is found where opencode only says that it failed: %s', (_, make, expected) => {
    make()
    const error = refusal('GET /config', 500, json('UnknownError', { message: 'Unexpected server error.' }), directory)
    expect(error.message).toMatch(expected)
    expect(error.code).toBe('bad_repository_config')
    expect(isChangedByReading(directory)).toBe(true)
  })

  it('is nothing else that fails', () => {
    fs.writeFileSync(at('opencode.json'), '{}')
    expect(unreadableConfiguration(directory)).toBeUndefined()
    const error = refusal('GET /config', 500, 'oops', directory)
    expect(error).toMatchObject({
      code: 'opencode_request',
      message: expect.stringContaining('GET /config: status 500'),
    })
  })

  it('has no say where .opencode/.gitignore is no text: that is not loaded ahead', () => {
    fs.mkdirSync(at('.opencode'))
    fs.writeFileSync(at('.opencode/.gitignore'), Buffer.from([0x66, 0xff, 0x0a]))
    expect(isChangedByReading(directory)).toBe(true)
  })
})
