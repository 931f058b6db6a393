/** What stands in place of a secret value, everywhere. */
export const masked = '***MASKED***'

/** Shorter values ("true", "3000") turn up in any text by chance; masking them would only make it unreadable. */
const shortestSecret = 6

/** Whether the value of a variable of this name is a secret: TOKEN, KEY, PASSWORD or SECRET is in the name. */
export function isSecretName(name: string): boolean {
  return /TOKEN|KEY|PASSWORD|SECRET/i.test(name)
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
