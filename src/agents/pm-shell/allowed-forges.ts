/** The calls of gh, glab and tea that the PM agent may make: they only read. Part of the plugin: plain JavaScript only. */
import { allow, amount, anything, repository, word, type Allowed } from './rules.ts'

const ofGh = (flags: string, values: Record<string, RegExp> = {}): Allowed =>
  allow({
    flags: `--help ${flags}`,
    values: { '-R --repo': repository, '--json': word, '-q --jq': anything, '-t --template': anything, ...values },
    operands: 'names',
  })
const ghLists = {
  '-s --state': word,
  '-l --label': word,
  '-L --limit': amount,
  '-A --author': word,
  '-a --assignee': word,
  '-S --search': anything,
}
const ofGlab = (flags: string, values: Record<string, RegExp> = {}): Allowed =>
  allow({
    flags: `--help ${flags}`,
    values: { '-R --repo': repository, '-F --output': /^(?:json|text|details|ids|urls)$/, ...values },
    operands: 'names',
  })
const glabLists = {
  '--assignee': word,
  '--author': word,
  '-l --label': word,
  '-m --milestone': word,
  '--search': anything,
  '-p --page': amount,
  '-P --per-page': amount,
}
const ofTea: Allowed = allow({
  flags: '--help -h --comments',
  values: {
    '-r --repo': repository,
    '-l --login': word,
    '-o --output': /^(?:table|csv|simple|tsv|yaml|json)$/,
    '-f --fields': word,
    '--state': word,
    '--limit': amount,
    '-p --page': amount,
    '-k --keyword': anything,
    '-L --labels': word,
    '-A --author': word,
    '-a --assignee': word,
  },
  operands: 'names',
})
/** `tea issues 14` shows one, `tea issues close 14` closes it. */
const teaNumber: Allowed = { ...ofTea, operands: 'none' }

export const ofForges: Record<string, Allowed> = {
  'gh issue list': ofGh('', { ...ghLists, '-m --milestone': word, '--mention': word }),
  'gh issue view': ofGh('-c --comments'),
  'gh pr list': ofGh('-d --draft', { ...ghLists, '-B --base': word, '-H --head': word }),
  'gh pr view': ofGh('-c --comments'),
  'gh pr checks': ofGh('--required'),
  'gh pr diff': ofGh('--name-only --patch', { '--color': /^never$/ }),
  'gh pr status': ofGh('-c --conflict-status'),
  'gh run list': ofGh('', { '-L --limit': amount, '-b --branch': word, '-s --status': word, '--workflow': word }),
  'gh run view': ofGh('-v --verbose --log --log-failed --exit-status', { '-j --job': amount, '-a --attempt': amount }),
  'gh repo view': { ...ofGh('', { '-b --branch': word }), operands: 'repository' },
  'glab issue list': ofGlab('-A --all -c --closed -C --confidential', glabLists),
  'glab issue view': ofGlab('-c --comments -s --system-logs', { '-p --page': amount, '-P --per-page': amount }),
  'glab mr list': ofGlab('-A --all -c --closed -M --merged -d --draft', {
    ...glabLists,
    '-s --source-branch': word,
    '-t --target-branch': word,
  }),
  'glab mr view': ofGlab('-c --comments -s --system-logs', { '-p --page': amount, '-P --per-page': amount }),
  'glab mr diff': ofGlab('--raw', { '--color': /^never$/ }),
  'glab ci list': ofGlab('', { '-s --status': word, '-p --page': amount, '-P --per-page': amount }),
  'glab repo view': { ...ofGlab('', { '-b --branch': word }), operands: 'repository' },
  'tea issues': teaNumber,
  'tea pulls': teaNumber,
  'tea issues list': ofTea,
  'tea pulls list': ofTea,
  'tea repos list': ofTea,
}
