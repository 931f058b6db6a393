/** The calls of git that the PM agent may make. Part of the plugin: plain JavaScript only. */
import { allow, amount, anything, type Allowed } from './rules.ts'

/** How differences are shown; none of these writes a file or runs a program. */
const ofDiffs = {
  flags: `-p -u --patch --no-patch -s --stat --shortstat --numstat --summary --name-only --name-status --dirstat --raw -w -b
    --ignore-all-space --ignore-space-change --ignore-blank-lines --word-diff --minimal --patience --histogram -M -C
    --find-renames --no-renames --no-color --no-prefix --full-index --binary --function-context -W --check -z
    --compact-summary --patch-with-stat`,
  values: {
    '--diff-filter': /^[A-Za-z*]+$/,
    '--stat': /^[\d,]+$/,
    '-U --unified': amount,
    '--word-diff': /^(?:color|plain|porcelain|none)$/,
    '--color': /^(?:never|auto)$/,
    '-S -G': anything,
    '--abbrev': amount,
    '-l': amount,
    '--diff-algorithm': /^\w+$/,
  },
}
const ofLogs = {
  flags: `--oneline --graph --decorate --no-decorate --abbrev-commit --no-abbrev-commit --first-parent --merges --no-merges
    --reverse --follow --all --branches --tags --remotes --pickaxe-regex --pickaxe-all --left-right --cherry-pick
    --cherry-mark --cherry --topo-order --date-order --author-date-order --full-history --ancestry-path --no-walk
    --relative-date --simplify-by-decoration --boundary --parents --children -i --regexp-ignore-case -E -F --all-match
    --invert-grep --not --source --no-notes --count --log-size`,
  values: {
    '-n --max-count --skip': amount,
    '--since --after --until --before --author --committer --grep': anything,
    '--format --pretty --date': anything,
    '--branches --tags --remotes --glob --exclude': anything,
    '--decorate': /^(?:short|full|auto|no)$/,
    '-L': anything,
    '--min-parents --max-parents': amount,
  },
}

const both = { flags: `${ofDiffs.flags} ${ofLogs.flags}`, values: { ...ofDiffs.values, ...ofLogs.values } }

/** Reading calls of git. */
export const ofGit: Record<string, Allowed> = {
  'git log': allow({ ...both, counts: true, operands: 'revisions' }),
  'git show': allow({ ...both, counts: true, operands: 'revisions' }),
  'git diff': allow({
    ...ofDiffs,
    flags: `${ofDiffs.flags} --cached --staged --merge-base --exit-code --quiet -R`,
    operands: 'revisions',
  }),
  'git status': allow({
    flags:
      '-s --short -b --branch -sb --show-stash --porcelain --long -z --ahead-behind --no-ahead-behind -uno -uall -unormal',
    values: { '--porcelain': /^(?:v?[12])$/, '--untracked-files': /^(?:no|normal|all)$/ },
    operands: 'revisions',
  }),
  'git blame': allow({
    flags:
      '-w -M -C -e -l -s -t --show-email --show-name --show-number -f -n --root --porcelain --line-porcelain --no-abbrev',
    values: { '-L': anything, '--since': anything, '--date': anything, '--abbrev': amount },
    operands: 'revisions',
  }),
  'git shortlog': allow({
    ...ofLogs,
    flags: `${ofLogs.flags} -s -n -e -sn -ns -sne -se --summary --numbered --email`,
    values: { ...ofLogs.values, '-n': /^(?!)/, '--group': /^\w+$/ },
    operands: 'revisions',
  }),
  'git rev-parse': allow({
    flags: `--abbrev-ref --symbolic --symbolic-full-name --verify -q --quiet --short --show-toplevel --show-prefix --show-cdup
      --is-inside-work-tree --is-bare-repository --is-shallow-repository --all --branches --tags --remotes`,
    values: { '--short': amount, '--abbrev-ref': /^(?:strict|loose)$/ },
    operands: 'revisions',
  }),
  'git ls-files': allow({
    flags: `-c --cached -d --deleted -m --modified -o --others -i --ignored -s --stage -u --unmerged -t -v -z --exclude-standard
      --full-name --directory --no-empty-directory --eol --deduplicate --error-unmatch`,
    operands: 'revisions',
  }),
  'git branch': allow({
    flags: `--list -a --all -r --remotes -v -vv --verbose --show-current --merged --no-merged --contains --no-contains
      --points-at --no-color --no-column --ignore-case -i -av -avv -rv -rvv --no-abbrev`,
    values: {
      '--sort --format --merged --no-merged --contains --no-contains --points-at': anything,
      '--abbrev': amount,
    },
    joined: true,
    operands: 'branches',
  }),
  'git remote': allow({ flags: '-v --verbose' }),
  'git remote get-url': allow({ flags: '--all --push', operands: 'any' }),
}
