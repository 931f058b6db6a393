/** The programs that kugetsu needs. */
import { messageOf } from '../../core/errors.ts'
import { compare } from '../../core/versions.ts'
import { driverFor } from '../../driver/choose.ts'
import { checkOpencode, findOpencode } from '../../server/program.ts'
import { openSqlite } from '../../platform/sqlite.ts'
import { runGit } from '../../git/git.ts'
import { fail, pass, warn, type Check } from '../check.ts'

const oldestNode = '20.19.0'
/** The first version with both `fetch --no-write-fetch-head` and GIT_CONFIG_COUNT. */
const oldestGit = '2.31.0'

const node: Check = {
  name: 'node',
  look: () => {
    const version = process.versions.node
    if (compare(version, oldestNode) < 0) {
      return fail(`Node ${version} is older than ${oldestNode}`, 'Install a newer Node: https://nodejs.org')
    }
    openSqlite(':memory:', { timeoutMs: 0 }).close() // throws, with a hint, when no driver loads
    return pass(version)
  },
}

const git: Check = {
  name: 'git',
  look: async ({ home }) => {
    const said = await runGit(['version'], { cwd: '/', env: home.env, timeoutMs: 10_000, signal: home.signal })
    const version = /\d+\.\d+(\.\d+)*/.exec(said)?.[0]
    if (version === undefined) return warn(`git does not tell its version: ${said.trim()}`, 'Try "git version".')
    return compare(version, oldestGit) < 0
      ? fail(`git ${version} is older than ${oldestGit}`, 'Install a newer git.')
      : pass(version)
  },
}

const opencode: Check = {
  name: 'opencode',
  look: async ({ home }) => {
    const program = await checkOpencode(findOpencode(home.env), home.env, home.signal)
    program.driver.requireWorkable(home.paths.home)
    return program.warning === undefined
      ? pass(`${program.version} (${program.path})`)
      : warn(program.warning, 'If something goes wrong, try that version: npm install -g opencode-ai@<version>')
  },
}

const database: Check = {
  name: 'database',
  look: ({ home, database, index }) => {
    const driver = driverFor(home)
    const file = driver.storeFile(home)
    const mend = driver.storeHint(home)
    let look
    try {
      look = database()
    } catch (error) {
      return fail(`opencode's database ${file} cannot be read: ${messageOf(error)}`, mend)
    }
    if (look === undefined) {
      return index()?.base
        ? fail(`opencode database not found at ${file}`, mend)
        : pass('none yet; opencode makes it when it first runs')
    }
    return look.missing.length > 0
      ? fail(
          `opencode's database ${file} keeps its sessions in another way: no column ${look.missing.join(', ')}`,
          'Use an opencode that kugetsu was tested with, or a newer kugetsu.',
        )
      : pass(`${file}, ${look.sessions.size} sessions`)
  },
}

export const programs = [node, git, opencode, database]
