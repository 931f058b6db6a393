/** Issue refs in a message, as people write them. Pure. */

const longest = 300
/** No message is about more issues than this. */
const most = 50
const url = /\bhttps?:\/\/[^\s<>"'`|\\^{}]+/gi
/** `host/owner/repo#14`, `owner/repo#14`, `repo#14`, `#14`, each also with a -word. */
const ref = /(?<![\w./:#@-])[\w.:/-]*#(?:\d+|-[A-Za-z0-9][\w-]*)(?![\w#])/g

/**
 * The parts of `message` that may be the ref or the URL of an issue or pull request, in order, each once. The parser of refs
 * decides whether they are.
 */
export function mentionsIn(message: string): string[] {
  const found: { at: number; text: string }[] = []
  const rest = message.replace(url, (text, at: number) => {
    found.push({ at, text: text.replace(/[.,;:!?)\]]+$/, '') })
    return ' '.repeat(text.length)
  })
  for (const { 0: text, index } of rest.matchAll(ref)) found.push({ at: index, text })
  const texts = found.sort((a, b) => a.at - b.at).map(({ text }) => text)
  return [...new Set(texts)].filter((text) => text.length <= longest).slice(0, most)
}
