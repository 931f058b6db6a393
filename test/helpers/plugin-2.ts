/** The hooks of the plugin for opencode 2, as opencode calls them. */
import { kugetsuEnvironment } from '../../src/plugin/plugin-2.ts'

export interface Hooks {
  before: (event: object) => void
  after: (event: object) => void
  shell: (event: object) => void
  evaluate: (event: object) => void
}

/** The hooks of the instance for a directory. */
export async function hooksOf(directory: string): Promise<Hooks> {
  const found = new Map<string, (event: object) => void>()
  const kind = (of: string) => ({
    hook: async (name: string, heed: (event: never) => void) => {
      found.set(`${of} ${name}`, heed as (event: object) => void)
    },
  })
  await kugetsuEnvironment.setup({
    location: { directory },
    shell: kind('shell'),
    tool: kind('tool'),
    permission: kind('permission'),
  })
  const hook = (name: string) => {
    const heed = found.get(name)
    if (heed === undefined) throw new Error(`the plugin has no hook ${name}`)
    return heed
  }
  return {
    before: hook('tool execute.before'),
    after: hook('tool execute.after'),
    shell: hook('shell create.before'),
    evaluate: hook('permission evaluate'),
  }
}
