import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { lazy } from '../core/lazy.ts'
import type { Launch, Own } from '../driver/driver.ts'
import { surroundings, usersConfiguration } from '../driver/environment.ts'
import { ensureDirectory, writeAtomic } from '../platform/files.ts'
import { packedText } from '../platform/single-executable.ts'
import { storeFile } from './store.ts'

/**
 * Of opencode's own plugins: `tools` has session_move, by which an agent leaves its worktree; `browser` describes 45 tools in
 * every system prompt that need a desktop.
 */
const turnedOff = ['-opencode.tools', '-opencode.browser']
const pluginFile = 'environment-plugin-2.js'

/** The text of the plugin. The daemon reads it when it starts: an upgrade replaces it. */
export const pluginText = lazy(
  () => packedText(pluginFile) ?? fs.readFileSync(new URL(pluginFile, import.meta.url), 'utf8'),
)

/** Writes the plugin into the home (kugetsu's own files may be gone later), and tells how to run the program. */
export function launch(home: Home, own: Own): Launch {
  const plugin = writePlugin(home)
  return {
    args: ['serve', '--hostname', '127.0.0.1', '--port', '0'],
    env: {
      ...surroundings(home, own.marker, ['OPENCODE_SERVER_PASSWORD']),
      OPENCODE_PASSWORD: own.password,
      OPENCODE_DB: storeFile(home),
      OPENCODE_CONFIG_CONTENT: configContent(home, own, plugin),
    },
    mark: '',
  }
}

/** The file that opencode 2 loads the plugin from. */
export function pluginEntry(home: Home): string {
  return path.join(home.paths.opencode, 'plugin', 'index.js')
}

/** opencode 2 wants a directory, and in it the plugin as the default export of `index.js`. */
function writePlugin(home: Home): string {
  const directory = path.dirname(pluginEntry(home))
  ensureDirectory(directory)
  writeAtomic(path.join(directory, 'environment.js'), pluginText())
  writeAtomic(pluginEntry(home), "export { kugetsuEnvironment as default } from './environment.js'\n")
  return directory
}

/** The user's OPENCODE_CONFIG_CONTENT, if any, with our plugin and agents added; opencode 2 reads the form of 1 as well. */
function configContent(home: Home, own: Own, plugin: string): string {
  const theirs = usersConfiguration(home.env)
  const plugins = Array.isArray(theirs['plugins']) ? theirs['plugins'] : []
  const agents = typeof theirs['agent'] === 'object' ? theirs['agent'] : {}
  return JSON.stringify({
    ...theirs,
    plugins: [...plugins, ...turnedOff, plugin],
    agent: { ...agents, ...own.agents },
    // Snapshots are for undoing by hand, which agents never do. They cost a `git add` of the whole worktree at each step.
    snapshots: theirs['snapshots'] ?? theirs['snapshot'] ?? false,
    // A user's setting to share all sessions would publish those of agents too.
    share: 'disabled',
  })
}
