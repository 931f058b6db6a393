import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, runJson } from '../helpers/kugetsu.ts'
import { killAndWait, leftovers } from '../helpers/processes.ts'
import { ref, setStage, type Stage } from '../helpers/stage.ts'

interface Report {
  ok: boolean
  checks: { name: string; status: string; detail: string; hint: string | null }[]
  fixed?: string[]
  not_fixed?: string[]
}

let stage: Stage
beforeAll(async () => {
  // Else github.com is asked, which a machine without a network cannot reach.
  stage = await setStage({ init: false, config: { DEFAULT_GIT_SERVER: 'forge.test' } })
})
afterAll(() => stage.cleanup())

const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
const doctor = (...flags: string[]) => runJson<Report>(stage.home, ['doctor', '--json', ...flags])
/** The checks that did not pass, by name and status. */
const found = ({ json }: { json: Report }) =>
  json.checks.filter(({ status }) => status !== 'pass').map(({ name, status }) => `${name} ${status}`)

describe('doctor', () => {
  it('says what to do first in a home that is not initialised, and there is no database to mend', async () => {
    const report = await doctor()
    expect(report.code).toBe(1)
    expect(report.json.ok).toBe(false)
    expect(found(report)).toEqual(['base fail', 'pm-agent fail'])
    expect(report.json.checks.find(({ name }) => name === 'base')?.hint).toBe('kugetsu init')
    const fixed = await run(stage.home, ['doctor', '--fix-permissions'])
    expect(fixed).toMatchObject({ code: 1, stdout: 'Fixing session permissions\n' })
    expect(fixed.stderr).toMatch(/^Error: opencode database not found at [^\n]+\nHint: [^\n]+\n$/)
  })

  it('finds all well while agents work, and tells it in 80 columns', async () => {
    await stage.ok(['init'])
    await stage.ok(['start', ref(1), 'GATE=busy SAY{{through}}'])
    await stage.model.turn('GATE=busy')
    const report = await doctor()
    expect(found(report)).toEqual([])
    expect(report).toMatchObject({ code: 0, stderr: '', json: { ok: true } })
    expect(report.json.checks.length).toBeGreaterThan(15)
    for (const check of report.json.checks)
      expect(Object.keys(check).sort()).toEqual(['detail', 'hint', 'name', 'status'])
    const text = await stage.ok(['doctor'])
    expect(text).toMatch(/^pass {2}git +2\./m)
    expect(text.trimEnd().split('\n').at(-1)).toBe('All is well')
  })

  it('stores the permission rules of sessions anew', async () => {
    const id = (await stage.session(1)).opencode_session_id ?? ''
    const before = stage.look().rules(id)
    expect(before).toContain('"question"')
    stage.look().dropRules(id)
    expect(stage.look().rules(id)).toBeNull()
    const said = await stage.ok(['doctor', '--fix-permissions'])
    expect(said).toBe('Fixing session permissions\nSession permissions fix complete (2 sessions)\n')
    expect(stage.look().rules(id)).toBe(before)
    stage.model.release('busy')
    await stage.ok(['wait', ref(1)])
  })
})

describe('doctor in a home where much has gone wrong', () => {
  it('finds it and changes nothing', async () => {
    const index = JSON.parse(fs.readFileSync(at('index.json'), 'utf8')) as Record<string, unknown>
    await stage.look().remove(String(index['pm_agent']))
    await stage.ok(['queue-daemon', 'stop'])
    await killAndWait(stage.server()?.pid ?? 0)
    fs.writeFileSync(at('index.json'), JSON.stringify({ ...index, issues: { 'forge.test/me/app#9': 'none.json' } }))
    fs.chmodSync(at('env', 'dev.env'), 0o644)
    fs.mkdirSync(at('worktrees', 'stray'))
    await stage.git.stop()

    const before = fs.readFileSync(at('index.json'), 'utf8')
    const report = await doctor()
    expect(report.code).toBe(1)
    // What the server ran may take a moment longer to end.
    expect(found(report).filter((each) => each !== 'processes warn')).toEqual([
      'home fail',
      'server warn',
      'sessions warn',
      'pm-agent fail',
      'worktrees warn',
      'git-servers warn',
    ])
    for (const { status, hint } of report.json.checks) expect(hint === null).toBe(status === 'pass')
    expect(fs.readFileSync(at('index.json'), 'utf8')).toBe(before)
    expect(fs.existsSync(at('opencode', 'server.json'))).toBe(true)
  })

  it('mends with --fix what loses nothing, and agents work on where they were', async () => {
    const base = (JSON.parse(fs.readFileSync(at('index.json'), 'utf8')) as Record<string, unknown>)['base']
    const said = await run(stage.home, ['doctor', '--fix'])
    expect(said.code).toBe(0)
    expect(said.stdout).toMatch(/^fixed {2}made the PM agent again: ses_/m)
    expect(said.stdout).toMatch(/^fixed {2}put forge\.test\/me\/app#1 back into the index$/m)
    expect(said.stdout).toMatch(/^warn {2}worktrees +without a session: stray\n +→ kugetsu prune$/m)
    expect(said.stdout.split('\n').filter((line) => line.length > 80 && !line.includes(stage.home.root))).toEqual([])
    expect(fs.existsSync(at('worktrees', 'stray'))).toBe(true)

    const again = await doctor('--fix')
    expect(again.json).toMatchObject({ ok: true, fixed: [], not_fixed: [] })
    expect(found(again)).toEqual(['worktrees warn', 'git-servers warn'])
    expect((await stage.ok(['status'])).split('\n')[0]).toBe('ok')
    expect(JSON.parse(fs.readFileSync(at('index.json'), 'utf8'))).toMatchObject({
      base,
      issues: { [ref(1)]: 'forge.test-me-app-1.json' },
    })
    expect(await stage.ok(['continue', ref(1), 'SAY{{again}}', '--wait'])).toContain(`idle  ${ref(1)}`)
  })

  it('leaves no process behind', async () => {
    await stage.home.cleanup()
    expect(leftovers(stage.home.root)).toEqual([])
  })
})
