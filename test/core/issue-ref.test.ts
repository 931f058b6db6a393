import { describe, expect, it } from 'vitest'
import { KugetsuError } from '../../src/core/errors.ts'
import { baseNameOf, fileNameOf, uniqueNameOf } from '../../src/core/issue-names.ts'
import { branchOf, formatRef, isInstance, matchTail, parseRef, resolveRef } from '../../src/core/issue-ref.ts'

const here = { host: 'forge.test', owner: 'mika', repo: 'tools' }
const around = { defaultHost: 'github.com', here }

const good: [text: string, canonical: string][] = [
  ['github.com/shoko/kugetsu#14', 'github.com/shoko/kugetsu#14'],
  ['GitHub.COM/Shoko/Kugetsu#14', 'github.com/Shoko/Kugetsu#14'],
  ['github.com/shoko/kugetsu#-discuss', 'github.com/shoko/kugetsu#-discuss'],
  ['github.com/shoko/kugetsu#-a', 'github.com/shoko/kugetsu#-a'],
  ['github.com/shoko/kugetsu#-Plan_2-b', 'github.com/shoko/kugetsu#-Plan_2-b'],
  ['github.com/shoko/kugetsu#007', 'github.com/shoko/kugetsu#7'],
  ['github.com/shoko/kugetsu#999999999999', 'github.com/shoko/kugetsu#999999999999'],
  ['github.com/shoko/kugetsu.git#14', 'github.com/shoko/kugetsu#14'],
  ['github.com/shoko/.github#3', 'github.com/shoko/.github#3'],
  ['github.com/a.b_c-d/e.f_g-h#1', 'github.com/a.b_c-d/e.f_g-h#1'],
  ['work/shoko/kugetsu#14', 'work/shoko/kugetsu#14'],
  ['forge.test:3000/shoko/kugetsu#14', 'forge.test:3000/shoko/kugetsu#14'],
  ['127.0.0.1:3000/shoko/kugetsu#14', '127.0.0.1:3000/shoko/kugetsu#14'],
  ['gitlab.com/group/sub/deeper/project#5', 'gitlab.com/group/sub/deeper/project#5'],
  ['shoko/kugetsu#14', 'github.com/shoko/kugetsu#14'],
  ['#14', 'forge.test/mika/tools#14'],
  ['#-discuss', 'forge.test/mika/tools#-discuss'],
  ['https://github.com/shoko/kugetsu/issues/14', 'github.com/shoko/kugetsu#14'],
  ['http://github.com/shoko/kugetsu/issues/14', 'github.com/shoko/kugetsu#14'],
  ['HTTPS://GitHub.com/shoko/kugetsu/issues/14', 'github.com/shoko/kugetsu#14'],
  ['https://github.com:443/shoko/kugetsu/issues/14', 'github.com/shoko/kugetsu#14'],
  ['http://github.com:443/shoko/kugetsu/issues/14', 'github.com:443/shoko/kugetsu#14'],
  ['https://github.com/shoko/kugetsu/issues/14/', 'github.com/shoko/kugetsu#14'],
  ['https://github.com/shoko/kugetsu/issues/14#issuecomment-99', 'github.com/shoko/kugetsu#14'],
  ['https://github.com/shoko/kugetsu/issues/14?a=b&c=d#x', 'github.com/shoko/kugetsu#14'],
  ['https://github.com/shoko/kugetsu/pull/15', 'github.com/shoko/kugetsu#15'],
  ['https://github.com/shoko/kugetsu/pull/15/files', 'github.com/shoko/kugetsu#15'],
  ['https://github.com/shoko/kugetsu.git/pull/15', 'github.com/shoko/kugetsu#15'],
  ['https://github.com/shoko/issues/issues/15', 'github.com/shoko/issues#15'],
  ['http://forge.test:3000/mika/tools/issues/2', 'forge.test:3000/mika/tools#2'],
  ['https://codeberg.org/mika/tools/pulls/8', 'codeberg.org/mika/tools#8'],
  ['https://codeberg.org/mika/tools/pulls/8/commits/0a1b2c', 'codeberg.org/mika/tools#8'],
  ['https://gitlab.com/group/project/-/issues/5', 'gitlab.com/group/project#5'],
  ['https://gitlab.com/group/sub/project/-/issues/5/', 'gitlab.com/group/sub/project#5'],
  ['https://gitlab.com/group/sub/project/-/merge_requests/6/diffs', 'gitlab.com/group/sub/project#6'],
  ['https://gitlab.com/group/project/-/work_items/7#note_3', 'gitlab.com/group/project#7'],
  ['github.com/shoko/kugetsu/issues/14', 'github.com/shoko/kugetsu#14'],
]

const hostile: string[] = [
  '',
  ' ',
  '14',
  'kugetsu#14',
  'github.com/shoko/kugetsu',
  'github.com/shoko/kugetsu#',
  'github.com/shoko/kugetsu#0',
  'github.com/shoko/kugetsu#000',
  'github.com/shoko/kugetsu#-',
  'github.com/shoko/kugetsu#--',
  'github.com/shoko/kugetsu#--help',
  'github.com/shoko/kugetsu#-a-',
  'github.com/shoko/kugetsu#word',
  'github.com/shoko/kugetsu#1.5',
  'github.com/shoko/kugetsu#14/../x',
  'github.com/shoko/kugetsu#14#15',
  'github.com/shoko/kugetsu#1000000000000',
  `github.com/shoko/kugetsu#-${'a'.repeat(60)}`,
  'github.com/shoko/kugetsu#-x.lock',
  'github.com/shoko/kugetsu#-x@{1}',
  'github.com/shoko/kugetsu#14\n',
  'github.com/shoko/kugetsu#14 ',
  'github.com/shoko/kugetsu #14',
  'github.com/shoko/kug\u0000etsu#14',
  'github.com/shoko/kug\u001b[31metsu#14',
  'github.com/shoko/kugétsu#14',
  'gіthub.com/shoko/kugetsu#14',
  'github.com/../kugetsu#14',
  'github.com/shoko/..#14',
  'github.com/shoko/.#14',
  'github.com/./kugetsu#14',
  'github.com/shoko/a..b#14',
  '../../etc/passwd#14',
  '../shoko/kugetsu#14',
  './shoko/kugetsu#14',
  '/shoko/kugetsu#14',
  'github.com//kugetsu#14',
  'github.com/shoko/#14',
  'github.com/shoko//kugetsu#14',
  '-oProxyCommand=x/shoko/kugetsu#14',
  '--upload-pack/shoko/kugetsu#14',
  'github.com/-shoko/kugetsu#14',
  'github.com/shoko/-kugetsu#14',
  'github.com/shoko/--exec#14',
  'github.com/shoko/kugetsu.lock#14',
  'github.com/shoko.lock/kugetsu#14',
  'github.com/shoko/tools.git/objects#14',
  'github.com/shoko/.git#14',
  'github.com/shoko/kugetsu.#14',
  'github.com/shoko/$(id)#14',
  'github.com/shoko/`id`#14',
  'github.com/shoko/a;b#14',
  'github.com/shoko/a|b#14',
  'github.com/shoko/a&b#14',
  'github.com/shoko/a>b#14',
  "github.com/shoko/a'b#14",
  'github.com/shoko/a"b#14',
  'github.com/shoko/a*b#14',
  'github.com/shoko/a%2e%2e#14',
  'github.com/shoko/a\\b#14',
  'github.com\\shoko\\kugetsu#14',
  'github.com/shoko/a@{0}#14',
  'github.com/~shoko/kugetsu#14',
  'github.com/shoko/kugetsu^#14',
  'github.com/shoko/a:b#14',
  'github.com/sho:ko/kugetsu#14',
  'github.com:x/shoko/kugetsu#14',
  'github.com:0/shoko/kugetsu#14',
  'github.com:65536/shoko/kugetsu#14',
  'github.com:22:22/shoko/kugetsu#14',
  'user@github.com/shoko/kugetsu#14',
  '.github.com/shoko/kugetsu#14',
  'github..com/shoko/kugetsu#14',
  `github.com/${'a'.repeat(101)}/kugetsu#14`,
  `github.com/${Array(20).fill('abcdefghijklmnop').join('/')}/kugetsu#14`,
  'ext::sh -c id/shoko/kugetsu#14',
  'file:///shoko/kugetsu/issues/14',
  'ftp://github.com/shoko/kugetsu/issues/14',
  'javascript://github.com/shoko/kugetsu/issues/14',
  'https://github.com/shoko/kugetsu',
  'https://github.com/shoko/kugetsu#14',
  'https://github.com/shoko/kugetsu/issues',
  'https://github.com/shoko/kugetsu/issues/new',
  'https://github.com/shoko/kugetsu/wiki/14',
  'https://github.com/shoko/../issues/14',
  'https://github.com/shoko/kugetsu/issues/14/../../x',
  'https://github.com//kugetsu/issues/14',
  'https://user:secret@github.com/shoko/kugetsu/issues/14',
  'https:///shoko/kugetsu/issues/14',
  'https://-x/shoko/kugetsu/issues/14',
  'https://gitlab.com/group/-/issues/5',
  'https://gitlab.com/group/project/-/snippets/5',
  'https://gitlab.com/group/../project/-/issues/5',
  `https://github.com/shoko/kugetsu/issues/14?${'x'.repeat(3000)}`,
]

function errorOf(work: () => unknown): KugetsuError {
  try {
    work()
  } catch (error) {
    if (error instanceof KugetsuError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('parseRef', () => {
  it.each(good)('reads %s', (text, canonical) => {
    const ref = parseRef(text, around)
    expect(formatRef(ref)).toBe(canonical)
    expect(parseRef(canonical, { defaultHost: 'elsewhere.test' })).toEqual(ref)
  })

  it.each(hostile)('refuses %j with one printable line', (text) => {
    const error = errorOf(() => parseRef(text, around))
    expect(error.code).toBe('bad_ref')
    expect(error.hint).toContain('owner/repo#14')
    expect(error.message).toMatch(/^[\x20-\x7e]{1,200}$/)
  })

  it('splits a ref into its parts', () => {
    expect(parseRef('gitlab.com/group/sub/project#5', around)).toEqual({
      host: 'gitlab.com',
      owner: 'group/sub',
      repo: 'project',
      id: '5',
    })
  })

  it('needs a clone for a bare number', () => {
    expect(errorOf(() => parseRef('#14', { defaultHost: 'github.com' })).code).toBe('bad_ref')
  })

  it('trusts neither the default server nor the clone', () => {
    expect(errorOf(() => parseRef('a/b#1', { defaultHost: '--help' })).code).toBe('bad_ref')
    const odd = { host: 'github.com', owner: '..', repo: 'x' }
    expect(errorOf(() => parseRef('#1', { defaultHost: 'github.com', here: odd })).code).toBe('bad_ref')
  })

  it('keeps the password of a URL out of the message', () => {
    const error = errorOf(() => parseRef('https://user:secret@github.com/shoko/kugetsu/issues/14', around))
    expect(error.message).not.toContain('secret')
    expect(error.message).toContain('github.com/shoko')
  })
})

describe('isInstance', () => {
  it.each(['github.com', 'work', 'forge.test:3000', 'A_b-c.9'])('takes %s', (text) => {
    expect(isInstance(text)).toBe(true)
  })
  it.each(['', '-x', 'a/b', 'https://x', 'a b', 'x:', 'x:y', '..'])('refuses %j', (text) => {
    expect(isInstance(text)).toBe(false)
  })
})

describe('names', () => {
  const ref = (text: string) => parseRef(text, around)

  it('are those of the bash tool', () => {
    expect(baseNameOf(ref('github.com/shoko/kugetsu#14'))).toBe('github.com-shoko-kugetsu-14')
    expect(baseNameOf(ref('github.com/shoko/kugetsu#-discuss'))).toBe('github.com-shoko-kugetsu--discuss')
    expect(branchOf(ref('github.com/shoko/kugetsu#14'))).toBe('fix/issue-14')
  })

  it('hold nothing but letters, digits, dots, hyphens and underscores', () => {
    expect(baseNameOf(ref('forge.test:3000/a/b/c#1'))).toBe('forge.test-3000-a-b-c-1')
  })

  it('fit into a file system, and still differ when they had to be cut', () => {
    const long = (end: string) => ref(`github.com/${'a'.repeat(100)}/${'b'.repeat(99)}${end}#14`)
    expect(baseNameOf(long('1')).length).toBeLessThan(200)
    expect(baseNameOf(long('1'))).not.toBe(baseNameOf(long('2')))
  })

  it('are shared by no two refs', () => {
    const one = ref('github.com/a-b/c#1')
    const other = ref('github.com/a/b-c#1')
    expect(baseNameOf(other)).toBe(baseNameOf(one))
    const owners = new Map([[baseNameOf(one), formatRef(one)]])
    const ownerOf = (name: string) => owners.get(name)
    expect(uniqueNameOf(one, ownerOf)).toBe('github.com-a-b-c-1')
    expect(uniqueNameOf(other, ownerOf)).toMatch(/^github\.com-a-b-c-1-[0-9a-f]{8}$/)
    expect(uniqueNameOf(other, () => undefined)).toBe('github.com-a-b-c-1')
  })

  it('are of one repository each', () => {
    const repositories = ['h/acme-w/api', 'h/acme/w-api', 'h-acme/w/api', 'h/acme/w/api', 'h:1/acme/w-api']
    const names = repositories.map((each) => fileNameOf(ref(`${each}#1`)))
    expect(new Set(names).size).toBe(repositories.length)
    expect(fileNameOf(ref('GitHub.com/a/b/c#1'))).toBe('github.com+a+b+c')
    const long = (end: string) => fileNameOf(ref(`h/${'a'.repeat(100)}/${'b'.repeat(100)}/${'c'.repeat(80)}${end}#1`))
    expect(long('1').length).toBeLessThan(200)
    expect(long('1')).not.toBe(long('2'))
  })

  it('are not shared with a ref made to have the longer name either', () => {
    const victim = ref('github.com/a/b#1')
    const taken = new Set(['github.com-a-b-1'])
    const ownerOf = (name: string) => (taken.has(name) ? 'github.com/other/other#1' : undefined)
    const second = uniqueNameOf(victim, ownerOf)
    taken.add(second)
    expect(taken.has(uniqueNameOf(victim, ownerOf))).toBe(false)
  })
})

describe('matchTail', () => {
  const tracked = ['github.com/shoko/kugetsu#14', 'github.com/shoko/kugetsu#-discuss', 'forge.test/mika/tools#4']

  it.each([
    ['kugetsu#14', 0],
    ['#14', 0],
    ['14', 0],
    ['shoko/kugetsu#14', 0],
    ['github.com/shoko/kugetsu#14', 0],
    ['-discuss', 1],
    ['tools#4', 2],
    ['4', 2],
  ])('finds %s', (text, index) => {
    expect(matchTail(text, tracked)).toBe(tracked[index])
  })

  it.each(['', 'etsu#14', 'discuss', 'oko/kugetsu#14', 'kugetsu', 'x/github.com/shoko/kugetsu#14', '5'])(
    'finds nothing for %j',
    (text) => {
      expect(matchTail(text, tracked)).toBeUndefined()
    },
  )

  it('lists the candidates when several fit', () => {
    const error = errorOf(() => matchTail('#14', [...tracked, 'forge.test/mika/tools#14']))
    expect(error.code).toBe('ambiguous_ref')
    expect(error.hint).toContain('github.com/shoko/kugetsu#14')
    expect(error.hint).toContain('forge.test/mika/tools#14')
    expect(error.hint).not.toContain('tools#4,')
  })

  it('takes one ref given twice for one', () => {
    expect(matchTail('#4', ['a/b/c#4', 'a/b/c#4'])).toBe('a/b/c#4')
  })
})

describe('resolveRef', () => {
  const outside = { defaultHost: 'github.com' }
  const resolve = (
    text: string,
    tracked: string[],
    place: { defaultHost: string; here?: typeof here | 'unknown' } = outside,
  ) => formatRef(resolveRef(text, { ...place, tracked }))

  it('takes a complete ref as it is, whatever else ends so', () => {
    expect(resolve('work/a/b#1', ['gitlab.com/work/a/b#1'])).toBe('work/a/b#1')
    expect(resolve('https://github.com/a/b/issues/1', ['forge.test/a/b#1'])).toBe('github.com/a/b#1')
  })

  it('takes #n in a clone for the clone, and elsewhere for the tracked one', () => {
    expect(resolve('#14', ['github.com/a/b#14'], around)).toBe('forge.test/mika/tools#14')
    expect(resolve('#14', ['github.com/a/b#14'])).toBe('github.com/a/b#14')
  })

  it('takes a number alone in a repository for that, or for nothing where that is not known', () => {
    expect(resolve('14', ['github.com/a/b#14'], around)).toBe('forge.test/mika/tools#14')
    for (const text of ['#14', '14', '#-discuss']) {
      const place = { ...outside, here: 'unknown' as const }
      const error = errorOf(() => resolve(text, ['github.com/a/b#14', 'github.com/a/b#-discuss'], place))
      expect([error.code, error.message]).toEqual(['bad_ref', expect.stringContaining('does not tell the repository')])
    }
  })

  it('takes owner/repo#n for the default server, unless only another one is tracked', () => {
    expect(resolve('a/b#1', [])).toBe('github.com/a/b#1')
    expect(resolve('a/b#1', ['forge.test/a/b#1'])).toBe('forge.test/a/b#1')
    expect(resolve('a/b.git#01', ['forge.test/a/b#1'])).toBe('forge.test/a/b#1')
    expect(resolve('a/b#1', ['forge.test/a/b#1', 'github.com/a/b#1'])).toBe('github.com/a/b#1')
    expect(errorOf(() => resolve('a/b#1', ['forge.test/a/b#1', 'work/a/b#1'])).code).toBe('ambiguous_ref')
  })

  it('takes anything shorter for a tail', () => {
    expect(resolve('b#1', ['forge.test/a/b#1'])).toBe('forge.test/a/b#1')
    expect(resolve('1', ['forge.test/a/b#1'])).toBe('forge.test/a/b#1')
    expect(errorOf(() => resolve('1', ['forge.test/a/b#1', 'forge.test/a/c#1'])).code).toBe('ambiguous_ref')
    expect(errorOf(() => resolve('b#2', ['forge.test/a/b#1'])).code).toBe('bad_ref')
  })

  it('does not return a tracked ref that is none', () => {
    expect(errorOf(() => resolve('1', ['../../x#1'])).code).toBe('bad_ref')
  })
})
