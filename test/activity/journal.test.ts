import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { note, readJournal } from '../../src/activity/journal.ts'
import { createServiceHome, type ServiceHome } from '../helpers/service-home.ts'

let home: ServiceHome
beforeEach(() => {
  home = createServiceHome()
})
afterEach(() => home.cleanup())

it('tells what was noted of an issue or a task, oldest first, through its rotation, whatever else is in it', () => {
  note(home, 'started', { issue_ref: 'forge.test/me/app#1', reason: 'queue item q_1' })
  fs.renameSync(home.paths.journal, `${home.paths.journal}.1`)
  note(home, 'started', { issue_ref: 'forge.test/me/app#14', reason: 'asked to by a command' })
  fs.appendFileSync(
    home.paths.journal,
    'half a line forge.test/me/app#1\n{"at": 7, "issue_ref": "forge.test/me/app#1"}\n',
  )
  note(home, 'retried', { issue_ref: null, reason: 'queue item q_1: host unreachable' })
  note(home, 'retried', { issue_ref: null, reason: 'queue item q_11: host unreachable' })
  note(home, 'failed', { issue_ref: 'forge.test/Me/app#1', reason: 'no key' })
  const decisions = (about: Parameters<typeof readJournal>[1]) =>
    readJournal(home, about).map(({ decision, reason }) => `${decision} ${reason}`)
  expect(decisions({ issueRef: 'forge.test/me/app#1' })).toEqual(['started queue item q_1', 'failed no key'])
  expect(decisions({ issueRef: null, item: 'q_1' })).toEqual([
    'started queue item q_1',
    'retried queue item q_1: host unreachable',
  ])
  expect(decisions({ issueRef: 'forge.test/me/app#2' })).toEqual([])
})

it('is empty where nothing was noted', () => {
  expect(readJournal(home, { issueRef: 'forge.test/me/app#1' })).toEqual([])
})
