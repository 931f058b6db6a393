import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTranscript } from '../../../src/daemon/following/transcripts.ts'
import { createServiceHome, type ServiceHome } from '../../helpers/service-home.ts'

let home: ServiceHome
let file: string
beforeEach(() => {
  home = createServiceHome()
  fs.mkdirSync(home.paths.logs)
  file = home.paths.transcript('ses_1')
})
afterEach(() => home.cleanup())

const open = () => openTranscript(home.paths.transcript('ses_1'), () => 'HEAD\n')
const text = () => fs.readFileSync(file, 'utf8')

describe('a transcript', () => {
  it('begins with its header and takes each part once', () => {
    const transcript = open()
    transcript.append('part1', 'one\n')
    transcript.append('part2', 'two\n')
    transcript.append('part1', 'one again\n')
    expect(text()).toBe('HEAD\none\ntwo\n')
    expect([transcript.has('part1'), transcript.has('part3')]).toEqual([true, false])
  })

  it('goes on where an earlier daemon stopped', () => {
    open().append('part1', 'one\n')
    const later = open()
    later.append('part1', 'one\n')
    later.append('part2', 'two\n')
    expect(text()).toBe('HEAD\none\ntwo\n')
  })

  it('writes again what a killed daemon had only half written, or not noted', () => {
    open().append('part1', 'one\n')
    fs.appendFileSync(file, 'tw')
    const later = open()
    expect(later.has('part2')).toBe(false)
    later.append('part2', 'two\n')
    expect(text()).toBe('HEAD\none\ntwo\n')
  })

  it('does not take a half written note for a part', () => {
    open().append('part1', 'one\n')
    const list = fs.readdirSync(home.paths.logs).find((name) => name.endsWith('.written')) ?? ''
    fs.appendFileSync(`${home.paths.logs}/${list}`, 'part2 1')
    fs.appendFileSync(file, 'two\n')
    open().append('part2', 'two\n')
    expect(text()).toBe('HEAD\none\ntwo\n')
    open().append('part2', 'two\n')
    expect(text()).toBe('HEAD\none\ntwo\n')
  })

  it('shortens nothing that a link in the place of its list points to, and keeps what was written', () => {
    open().append('part1', 'one\n')
    const list = path.join(home.paths.logs, '.dev-ses_1.written')
    const outside = path.join(home.paths.home, 'outside')
    fs.rmSync(list)
    fs.writeFileSync(outside, 'header 5\nhalf a li')
    fs.symlinkSync(outside, list)
    expect(open().has('part1')).toBe(false)
    expect(fs.readFileSync(outside, 'utf8')).toBe('header 5\nhalf a li')
    const kept = fs.readdirSync(home.paths.logs).find((name) => name.startsWith('dev-ses_1.log.unreadable-')) ?? ''
    expect(fs.readFileSync(path.join(home.paths.logs, kept), 'utf8')).toBe('HEAD\none\n')
  })

  it('remembers parts that show nothing', () => {
    open().append('silent', '')
    expect(open().has('silent')).toBe(true)
  })

  it('is for its owner alone', () => {
    open()
    for (const name of fs.readdirSync(home.paths.logs)) {
      expect(fs.statSync(`${home.paths.logs}/${name}`).mode & 0o777, name).toBe(0o600)
    }
  })
})
