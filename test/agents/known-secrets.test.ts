import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { formatValue } from '../../src/agents/env-files.ts'
import { maskerOf } from '../../src/agents/known-secrets.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
  fs.mkdirSync(home.paths.env)
})
afterEach(() => home.cleanup())

const write = (name: string, value: string, file = 'dev') =>
  fs.appendFileSync(`${home.paths.env}/${file}.env`, `export ${name}=${formatValue(value)}\n`)
const mask = (text: string) => maskerOf(home)(text)

it('hides the secrets of every file and of the environment', () => {
  write('A_TOKEN', 'of-every-agent', 'default')
  write('A_TOKEN', 'of-dev-alone')
  write('A_TOKEN', 'of-pm-alone', 'pm-agent')
  write('COLOUR', 'vermilion')
  home.env['MODEL_API_KEY'] = 'of-environment'
  const told = mask('of-every-agent of-dev-alone of-pm-alone of-environment vermilion')
  expect(told).toBe('***MASKED*** ***MASKED*** ***MASKED*** ***MASKED*** vermilion')
})

it('hides them as commands print them: without outer blanks, or one line of several', () => {
  write('PADDED_TOKEN', '  padded-token \n')
  write('SSH_KEY', '-----BEGIN KEY-----\n  c2VjcmV0IG1hdGVyaWFs\n-----END KEY-----\nend\n')
  expect(mask('a padded-token b')).toBe('a ***MASKED*** b')
  expect(mask('head -2: c2VjcmV0IG1hdGVyaWFs, and the end')).toBe('head -2: ***MASKED***, and the end')
})

it('hides what URLs hold of users and passwords, wherever they come from', () => {
  write('GITHUB_PAT', 'pat-of-an-agent')
  expect(mask('pushed with pat-of-an-agent to https://me:not-known@forge.test/me/app and ssh://git@forge.test/x')).toBe(
    'pushed with ***MASKED*** to https://***@forge.test/me/app and ssh://git@forge.test/x',
  )
})

it('does what it can where a file cannot be read', () => {
  write('A_TOKEN', 'of-dev-alone')
  fs.mkdirSync(`${home.paths.env}/default.env`)
  expect(mask('of-dev-alone')).toBe('***MASKED***')
})
