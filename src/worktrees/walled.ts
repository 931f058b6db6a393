/** An environment for running git by hand without running anything of the repository: for the PM agent's shell. */
import { gitEnvironment } from '../git/environment.ts'
import { type GitCall, gitConfiguration, runGit } from '../git/git.ts'
import { disarmed, listSettings } from '../git/foreign-programs.ts'

const timeoutMs = 30_000

/** In addition to what kugetsu's own calls need: programs that git uses to verify and to show. */
const programs = [
  'core.pager=cat',
  'safe.bareRepository=explicit', // a bare repository may be committed inside a tree
  'blame.ignoreRevsFile=', // git would print the lines of that file that it does not understand
  'diff.submodule=short',
  'diff.ignoreSubmodules=all',
  'status.submoduleSummary=false',
  'gpg.program=false',
  'gpg.openpgp.program=false',
  'gpg.x509.program=false',
  'gpg.ssh.program=false',
  'gpg.ssh.defaultKeyCommand=false',
]

/**
 * The environment for a git in `cwd`: it runs no program of the repository there, asks no remote, and looks for a repository
 * no further up than `ceilings`. `root` is the worktree that it finds, or undefined.
 */
export async function walled(call: {
  cwd: string
  env: NodeJS.ProcessEnv
  ceilings: readonly string[]
}): Promise<{ env: NodeJS.ProcessEnv; root: string | undefined }> {
  const { cwd, env } = call
  const ceilings = { GIT_CEILING_DIRECTORIES: call.ceilings.join(':') }
  const ask: GitCall = { cwd, env, timeoutMs, variables: ceilings, settingsAsTheyAre: true }
  const [listing, root] = await Promise.all([
    runGit(listSettings, ask),
    runGit(['rev-parse', '--show-toplevel'], ask).catch(() => undefined),
  ])
  const base = { ...gitEnvironment(env), ...ceilings, GIT_ALLOW_PROTOCOL: 'none' }
  const set = withSettings(base, [...gitConfiguration, ...programs])
  return { env: { ...set, ...disarmed(listing, set) }, root: root?.replace(/\n$/, '') }
}

/** Adds `settings` (`name=value`) after those already in the environment. */
function withSettings(env: NodeJS.ProcessEnv, settings: readonly string[]): NodeJS.ProcessEnv {
  const before = Number(env['GIT_CONFIG_COUNT'] ?? 0) || 0
  const pairs = settings.flatMap((setting, index) => {
    const end = setting.indexOf('=')
    return [
      [`GIT_CONFIG_KEY_${before + index}`, setting.slice(0, end)],
      [`GIT_CONFIG_VALUE_${before + index}`, setting.slice(end + 1)],
    ]
  })
  return { ...env, ...Object.fromEntries(pairs), GIT_CONFIG_COUNT: String(before + settings.length) }
}
