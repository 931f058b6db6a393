import { expect, test } from 'vitest'
import { isSecretName, masked, maskSecrets } from '../../src/core/masking.ts'

test('every occurrence of a secret is replaced', () => {
  expect(maskSecrets('a s3cret-1 b s3cret-1', ['s3cret-1'])).toBe(`a ${masked} b ${masked}`)
})

test('a secret that contains another is hidden whole', () => {
  expect(maskSecrets('x token-123456 y token-', ['token-', 'token-123456'])).toBe(`x ${masked} y ${masked}`)
})

test('overlapping secrets leave no rest of either', () => {
  expect(maskSecrets('<abcdefghijkl>', ['abcdefgh', 'efghijkl'])).toBe(`<${masked}>`)
  expect(maskSecrets('<aaaaaaaaa>', ['aaaaaa'])).toBe(`<${masked}>`)
})

test('a secret that is part of the mask does not break it', () => {
  expect(maskSecrets('hunter22 MASKED', ['hunter22', 'MASKED'])).toBe(`${masked} ${masked}`)
})

test('values that turn up by chance are left alone', () => {
  expect(maskSecrets('true, 3000 and nothing', ['', 'true', '3000'])).toBe('true, 3000 and nothing')
})

test('secrets with characters of regular expressions and with newlines are found', () => {
  expect(maskSecrets('a.b*c(d and axb*c(d', ['a.b*c(d'])).toBe(`${masked} and axb*c(d`)
  expect(maskSecrets('key:\nline one\nline two\nend', ['line one\nline two'])).toBe(`key:\n${masked}\nend`)
})

test.each([
  'GITEA_TOKEN',
  'API_KEY',
  'db_password',
  'SECRET',
  'MY_SECRET_VALUE',
  'GITHUB_PAT',
  'PAT',
  'GITHUB_PAT_2',
  'GCP_CREDENTIAL',
  'AWS_CREDENTIALS',
  'AUTHORIZATION',
  'HTTP_PROXY_AUTHORIZATION',
  'REDISCLI_AUTH',
  'npm_config__auth',
  'PGPASSWORD',
  'MYSQL_PWD',
  'SMTP_PASS',
  'MYSQL_PASSWD',
  'GPG_PASSPHRASE',
])('%s is the name of a secret', (name) => {
  expect(isSecretName(name)).toBe(true)
})

test.each(['PATH', 'MY_VAR', 'GITEA_URL', 'PWD', 'OLDPWD', 'SSH_AUTH_SOCK', 'GIT_AUTHOR_NAME', 'COMPASS', 'PATTERN'])(
  '%s is not',
  (name) => {
    expect(isSecretName(name)).toBe(false)
  },
)
