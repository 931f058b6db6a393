import { describe, expect, it } from 'vitest'
import { maskCredentials } from '../../src/core/masking.ts'
import { explain, GitFailure, reasonOf } from '../../src/git/failure.ts'

describe('maskCredentials', () => {
  it.each([
    ['https://user:secret@host/o/r.git', 'https://***@host/o/r.git'],
    ['https://secret@host/o/r.git', 'https://***@host/o/r.git'],
    ["for 'http://user:se@cret@host:80/x'", "for 'http://***@host:80/x'"],
    ['ssh://git:secret@host/x', 'ssh://***@host/x'],
    ['ssh://git@host/x', 'ssh://git@host/x'],
    ['git@host:o/r.git and https://host/a@b', 'git@host:o/r.git and https://host/a@b'],
  ])('masks %s', (text, masked) => {
    expect(maskCredentials(text)).toBe(masked)
  })
})

describe('the reason of a failure', () => {
  it.each([
    ["fatal: repository 'https://h/x.git/' not found", 'not_found'],
    [
      "fatal: '/x.git' does not appear to be a git repository\nfatal: Could not read from remote repository.",
      'not_found',
    ],
    ['fatal: remote error: access denied or repository not exported: /x.git', 'not_found'],
    ["fatal: could not read Username for 'https://h': terminal prompts disabled", 'authentication'],
    ['git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.', 'authentication'],
    ['Host key verification failed.\nfatal: Could not read from remote repository.', 'unknown_host_key'],
    ['ssh: Could not resolve hostname h: Name or service not known\nfatal: Could not read', 'unreachable'],
    ['fatal: unable to connect to h:\nh[0: 127.0.0.1]: errno=Connection refused', 'unreachable'],
    ['error: file write error: No space left on device\nfatal: index-pack failed', 'disk_full'],
    ["fatal: Unable to create '/m/packed-refs.lock': File exists.", 'locked'],
    ['fatal: not a git repository (or any of the parent directories): .git', 'not_a_repository'],
    ['fatal: something new', 'other'],
  ])('%s', (stderr, reason) => {
    expect(reasonOf(stderr)).toBe(reason)
  })

  it('names the file that could not be added', () => {
    const stderr =
      'error: a/b: can only add regular files, symbolic links or git-directories\nfatal: updating files failed'
    expect(explain(new GitFailure('other', 128, stderr)).text).toMatch(/^a\/b: can only add regular files/)
    expect(explain(new GitFailure('other', 128, 'fatal: adding files failed')).text).toBe('adding files failed')
  })

  it('is told in git words where it is not known', () => {
    const stderr = 'warning: odd\nerror: first\nfatal: the real reason\nPlease do something.'
    expect(explain(new GitFailure('other', 128, stderr)).text).toBe('the real reason')
  })
})
