/**
 * The commands of the PM agent: each program, subcommand and option by name. Anything else is refused: there are no
 * patterns and no abbreviations, and options with a value are kept apart from options without one. Part of the plugin.
 */
import { ofForges } from './allowed-forges.ts'
import { ofGit } from './allowed-git.ts'
import { allow, amount, anything, number, type Allowed } from './rules.ts'

/** Every command of kugetsu has these flags. */
function kugetsu({ flags = '', ...rest }: Parameters<typeof allow>[0]): Allowed {
  return allow({ flags: `--json --debug --help -h ${flags}`, ...rest })
}

const handOut = { '--timeout': amount, '--base': /^\w[\w./-]*$/ }
const noOperands = kugetsu({})
const oneName = kugetsu({ operands: 'any' })

const ofKugetsu: Record<string, Allowed> = {
  kugetsu: allow({ flags: '--help -h --version -V' }),
  'kugetsu help': allow({ operands: 'any' }),
  'kugetsu start': kugetsu({ flags: '--queue --wait --fresh', values: handOut, operands: 'any' }),
  'kugetsu continue': kugetsu({ flags: '--queue --wait --fresh', values: handOut, operands: 'any' }),
  'kugetsu list': kugetsu({ flags: '--all' }),
  'kugetsu status': noOperands,
  'kugetsu logs': kugetsu({ flags: '-f --follow', operands: 'any' }),
  'kugetsu wait': kugetsu({ values: { '--timeout': amount }, operands: 'any' }),
  'kugetsu explain': oneName,
  'kugetsu stop': oneName,
  'kugetsu context': oneName,
  'kugetsu destroy': kugetsu({ flags: '-y --yes', operands: 'any' }),
  'kugetsu set-pr': oneName,
  'kugetsu prune': noOperands,
  'kugetsu doctor': noOperands,
  'kugetsu notify': kugetsu({ flags: '--all' }),
  'kugetsu notify list': kugetsu({ flags: '--all' }),
  'kugetsu notify clear': noOperands,
  'kugetsu queue': noOperands,
  'kugetsu queue list': noOperands,
  'kugetsu queue stats': noOperands,
  'kugetsu queue enqueue': kugetsu({ values: { '--base': handOut['--base'] }, operands: 'any' }),
  'kugetsu queue show': oneName,
  'kugetsu queue remove': oneName,
  'kugetsu queue retry': oneName,
  'kugetsu queue clear': kugetsu({ flags: '--all' }),
  'kugetsu queue-daemon status': noOperands,
  'kugetsu queue-daemon start': noOperands,
  'kugetsu queue-daemon logs': kugetsu({ flags: '-f --follow' }),
  'kugetsu server list': noOperands,
  'kugetsu server get': oneName,
  'kugetsu env list': noOperands,
}

const ofFilters: Record<string, Allowed> = {
  cd: allow({ operands: 'files' }),
  head: allow({
    flags: '-q -v --quiet --silent --verbose',
    values: { '-n -c --lines --bytes': number },
    counts: true,
    operands: 'files',
  }),
  tail: allow({
    flags: '-q -v --quiet --silent --verbose',
    values: { '-n -c --lines --bytes': number },
    counts: true,
    operands: 'files',
  }),
  wc: allow({
    flags: '-l -w -c -m -L --lines --words --bytes --chars --max-line-length',
    bundles: true,
    operands: 'files',
  }),
  grep: allow({
    flags: `-n -i -v -c -l -L -o -w -x -E -F -G -P -h -H -r -q -s -a -I --line-number --ignore-case --invert-match --count
      --files-with-matches --files-without-match --only-matching --word-regexp --line-regexp --extended-regexp
      --fixed-strings --basic-regexp --perl-regexp --no-filename --with-filename --recursive --quiet --no-messages --text`,
    values: {
      '-e --regexp': anything,
      '-A -B -C -m --after-context --before-context --context --max-count': amount,
      '--include --exclude --exclude-dir': anything,
      '--color --colour': /^never$/,
    },
    bundles: true,
    counts: true,
    operands: 'pattern, files',
  }),
  jq: allow({
    flags: `-r -c -s -S -e -n -R -j -a -M --raw-output --compact-output --slurp --sort-keys --exit-status --null-input
      --raw-input --join-output --ascii-output --monochrome-output --tab`,
    values: { '--indent': amount },
    bundles: true,
    operands: 'jq program, files',
  }),
}

/** By program and subcommand, as they are called. */
export const allowed: ReadonlyMap<string, Allowed> = new Map(
  Object.entries({ ...ofKugetsu, ...ofGit, ...ofForges, ...ofFilters }),
)

export const programs = [...new Set([...allowed.keys()].map((name) => name.split(' ')[0] ?? ''))]
