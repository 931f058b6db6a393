/** The text in place of a secret value, everywhere. */
export const masked = '***MASKED***'

/** Shorter values ("true", "3000") occur in any text by chance; masking them would only make it unreadable. */
const shortestSecret = 6

/**
 * Names of variables that hold secrets: the long words anywhere in the name, the short ones only as a whole word (GITHUB_PAT
 * and not PATH), AUTH only at the end. docs/configuration.md lists them.
 */
const secretName =
  /TOKEN|KEY|PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|AUTHORIZATION|(?<![A-Z])(PAT|PASS|PGPASS|PWD|JWT|COOKIE)(?![A-Z])|(?<![A-Z])AUTH$/i
/** The working directories of the shell. */
const noSecrets = /^(OLD)?PWD$/

/** Whether a variable of this name holds a secret: the one rule for what is masked and what is not shown. */
export function isSecretName(name: string): boolean {
  return secretName.test(name) && !noSecrets.test(name)
}

/** The text without the user names, passwords and tokens in its URLs. */
export function maskCredentials(text: string): string {
  return text
    .replace(/\b(https?|ftps?):\/\/[^/\s'"]+@/gi, '$1://***@')
    .replace(/\b([a-z][a-z0-9+.-]*):\/\/[^/\s'":@]*:[^/\s'"]+@/gi, '$1://***@')
}

/** The text with each of the secret values in it replaced; values that overlap are replaced as one. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  const found = secrets.filter((secret) => secret.length >= shortestSecret).flatMap((secret) => spansOf(text, secret))
  found.sort((one, other) => one.start - other.start)
  let result = ''
  let position = 0
  let hiddenTo = -1
  for (const span of found) {
    if (span.start < hiddenTo) {
      hiddenTo = Math.max(hiddenTo, span.end)
    } else {
      result += text.slice(position, span.start) + masked
      hiddenTo = span.end
    }
    position = hiddenTo
  }
  return result + text.slice(position)
}

interface Span {
  start: number
  end: number
}

function spansOf(text: string, secret: string): Span[] {
  const spans: Span[] = []
  for (let start = text.indexOf(secret); start !== -1; start = text.indexOf(secret, start + 1)) {
    spans.push({ start, end: start + secret.length })
  }
  return spans
}
