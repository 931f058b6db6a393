/**
 * Variables by which a program that calls kugetsu tells its own children where they are: git in a hook or an alias, npm in a
 * script. They tie git and npm to that program's repository, but kugetsu's git and the agents work in others.
 */

/** git(1), "Environment Variables": those that choose a repository or how it is read, and those of one commit. */
const gits = [
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_INDEX_VERSION',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_COMMON_DIR',
  'GIT_NAMESPACE',
  'GIT_PREFIX',
  'GIT_CONFIG',
  'GIT_CONFIG_PARAMETERS',
  'GIT_IMPLICIT_WORK_TREE',
  'GIT_GRAFT_FILE',
  'GIT_SHALLOW_FILE',
  'GIT_QUARANTINE_PATH',
  'GIT_REPLACE_REF_BASE',
  'GIT_NO_REPLACE_OBJECTS',
  'GIT_INTERNAL_SUPER_PREFIX',
  'GIT_DEFAULT_HASH',
  'GIT_TEMPLATE_DIR',
  'GIT_EXTERNAL_DIFF',
  'GIT_ATTR_SOURCE',
  'GIT_LITERAL_PATHSPECS',
  'GIT_GLOB_PATHSPECS',
  'GIT_NOGLOB_PATHSPECS',
  'GIT_ICASE_PATHSPECS',
  'GIT_REFLOG_ACTION',
  'GIT_AUTHOR_DATE',
  'GIT_COMMITTER_DATE',
]

/** These show that git is the caller. `git commit` and `git rebase` then also name the author of their commit. */
const byGit = ['GIT_DIR', 'GIT_INDEX_FILE', 'GIT_PREFIX', 'GIT_CONFIG_PARAMETERS']
const authors = ['GIT_AUTHOR_NAME', 'GIT_AUTHOR_EMAIL']

/** What npm sets for scripts and for npx. Settings that a user has made by `npm_config_…` stay. */
const npms = /^(npm_(lifecycle|package)_.*|npm_(command|execpath|node_execpath|config_local_prefix)|INIT_CWD)$/

/** The environment without these variables. An author that the user has set for all repositories stays. */
export function withoutCaller(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isByGit = byGit.some((name) => env[name] !== undefined)
  const foreign = new Set(isByGit ? [...gits, ...authors] : gits)
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.has(name) && !npms.test(name)))
}
