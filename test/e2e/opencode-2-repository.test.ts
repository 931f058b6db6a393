/** What a repository may bring along for opencode 2: configuration of either form, plugins that fail, MCP servers. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundledDriver, setDriverStage, type DriverStage } from '../helpers/driver-stage.ts'
import { opencode2Program } from '../helpers/opencode-2.ts'
import { waitFor } from '../helpers/wait-for.ts'

const found = opencode2Program()
const why = 'why' in found ? ` (${found.why})` : ''

const tool = (name: string, input: object) => `TOOL{{${name} ${JSON.stringify(input)}}}`
const whose = tool('shell', { command: 'echo "$KUGETSU_AGENT of $KUGETSU_ISSUE_REF"' })
const mcpServer = path.resolve('test/fixtures/mcp-server.cjs')

describe.skipIf(why !== '')(`a repository for opencode 2.0.15${why}`, () => {
  let stage: DriverStage
  let count = 0
  /** An agent with a run, in a worktree with these files. */
  const agent = async (files: Record<string, string | object>, rules: Parameters<DriverStage['session']>[1] = []) => {
    const name = `agent-${++count}`
    const directory = stage.worktree(name)
    for (const [file, content] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(directory, file)), { recursive: true })
      fs.writeFileSync(path.join(directory, file), typeof content === 'string' ? content : JSON.stringify(content))
    }
    const id = await stage.session(directory, rules)
    const issue = `forge.test/a/b#${count}`
    const record = { type: 'forked', opencode_session_id: id, issue_ref: issue, run: {}, worktree_path: directory }
    fs.writeFileSync(path.join(stage.home.paths.sessions, `${name}.json`), JSON.stringify(record))
    return { id, directory, issue }
  }
  /** What the last call of a tool gave the model. */
  const told = async (own: { id: string; directory: string }, text: string) => {
    await stage.end(own, await stage.say(own, text))
    return stage.model.turns().at(-1)?.lastText ?? ''
  }
  /** The same once opencode has the tool: it waits for no MCP server. */
  const toldAtLast = (own: { id: string; directory: string }, text: string) =>
    waitFor('the tool of the MCP server', async () => {
      const said = await told(own, text)
      return !/Unknown tool|No tool named|<system-update>/.test(said) && said
    })

  beforeAll(async () => {
    const program = 'program' in found ? found.program : ''
    stage = await setDriverStage(await bundledDriver('opencode2/driver.ts', 'opencode2'), program)
    fs.mkdirSync(stage.home.paths.sessions)
    await stage.boot()
  })
  afterAll(() => stage?.cleanup())

  it.each([
    ['1', { permission: { bash: { 'echo *': 'deny' } }, snapshot: true, share: 'auto', autoupdate: true }],
    ['2', { permissions: [{ action: 'shell', resource: 'echo *', effect: 'deny' }], snapshots: true, share: 'auto' }],
  ])('has its rules in the form of opencode %s', async (_, configuration) => {
    const own = await agent({ 'opencode.json': configuration })
    expect(await told(own, whose)).toContain('Permission denied: shell')
  })

  it.each([
    ['is no JSON', '{ not json'],
    ['has values of other types', { permission: 5, agent: [], mcp: 'x', plugins: 7 }],
    ['turns our plugin off', { plugins: ['-kugetsu.environment'], plugin: ['-kugetsu.environment'] }],
    ['names plugins that are not there', { plugins: ['./none.js', 'kugetsu-has-no-such-package@1'] }],
  ])('takes nothing from its agent when its configuration %s', async (_, configuration) => {
    const own = await agent({ 'opencode.json': configuration, '.opencode/opencode.json': configuration })
    expect(await told(own, whose)).toBe(`dev of ${own.issue}\n`)
  })

  it('takes nothing from its agent with plugins that fail', async () => {
    const setup = (body: string) => `export default { id: 'of-the-repository', setup: async () => { ${body} } }`
    const own = await agent({
      '.opencode/plugins/import.js': `import './none.js'\n${setup('')}`,
      '.opencode/plugins/throws.js': `throw new Error('at its import')`,
      '.opencode/plugins/setup.js': setup(`throw new Error('at its setup')`),
      '.opencode/plugins/syntax.js': 'export default {{{',
      '.opencode/plugins/older.js': `export const P = async () => ({ 'tool.execute.before': () => { throw Error() } })`,
      '.opencode/plugins/later.js': setup(`setTimeout(() => { throw new Error('later') }, 50)`),
      '.opencode/plugins/unheard.js': setup(`setTimeout(() => Promise.reject(new Error('unheard')), 50)`),
    })
    expect(await told(own, `${whose} ${tool('shell', { command: 'sleep 0.2' })} ${whose}`)).toBe(
      `dev of ${own.issue}\n`,
    )
    expect(await stage.client.isUp(5_000)).toBe(true)
  })

  it('gets no agent when a plugin takes the place of ours', async () => {
    const before = stage.model.requests.length
    const plugin = `export default { id: 'kugetsu.environment', setup: async () => {} }`
    await expect(agent({ '.opencode/plugins/x.js': plugin })).rejects.toMatchObject({
      code: 'guard_missing',
      message: expect.stringContaining('Duplicate plugin ID'),
    })
    expect(stage.model.requests.length).toBe(before)
  })

  it.each([
    ['1', { tiny: { type: 'local', command: [process.execPath, mcpServer] } }],
    ['2', { servers: { tiny: { type: 'local', command: [process.execPath, mcpServer] } } }],
  ])('has an MCP server, set in the form of opencode %s', async (_, mcp) => {
    const own = await agent({ 'opencode.json': { mcp } })
    const call = tool('execute', { code: 'return await tools.tiny.greet({ who: "you" })' })
    expect(await toldAtLast(own, call)).toBe('Hello, you.')
    expect(await stage.client.mcpTrouble(own.directory, 20_000)).toEqual([])
  })

  it('says why a tool of an MCP server is refused', async () => {
    const mcp = { servers: { tiny: { type: 'local', command: [process.execPath, mcpServer], codemode: false } } }
    const asks = [{ permission: 'tiny_greet', pattern: '*', action: 'ask' as const }]
    const own = await agent({ 'opencode.json': { mcp } }, asks)
    const refusal = 'kugetsu refused this by policy: tiny_greet (*)'
    expect(await toldAtLast(own, tool('tiny_greet', { who: 'you' }))).toContain(refusal)
  })

  it('makes no agent wait for an MCP server that does not come up, and names it', async () => {
    const local = (...command: string[]) => ({ type: 'local', command })
    const servers = { silent: local('sleep', '617'), none: local('/no/such/program'), ends: local('false') }
    const own = await agent({ 'opencode.json': { mcp: { servers } } })
    expect(await told(own, whose)).toBe(`dev of ${own.issue}\n`)
    expect((await stage.client.mcpTrouble(own.directory, 2_000)).toSorted()).toEqual([
      'MCP server "ends" is not connected (failed: Connection closed)',
      expect.stringContaining('MCP server "none" is not connected (failed: NotFound'),
      'MCP server "silent" has not answered for 2 s',
    ])
  })
})
