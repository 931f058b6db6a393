/**
 * Whether a shell command is only calls of the programs the PM agent works with. opencode holds the calls in a command
 * against its rules one by one, but has no say in what is no call: an assignment, a redirection, `export`. Part of the
 * plugin inside opencode: plain JavaScript.
 */

const programs = ['kugetsu', 'git', 'gh', 'glab', 'tea', 'cd', 'head', 'tail', 'grep', 'wc', 'jq']

/**
 * The calls in `command`, each as it is written; or, as a sentence for who wrote it, what a shell would do with it
 * beyond calling those programs. What is not understood for certain counts as something else.
 */
export function callsIn(command: string): { calls: string[] } | { problem: string } {
  const calls: string[] = []
  const problem = readCalls(command, (call) => calls.push(call))
  return problem === undefined ? { calls } : { problem }
}

function readCalls(command: string, found: (call: string) => void): string | undefined {
  let at = 0
  let from = 0
  let word = ''
  let isQuoted = false
  let isFirst = true
  /** The delimiters of the heredocs whose bodies follow this line. */
  const heredocs: string[] = []

  /** Ends a word; what is wrong with it. */
  function endWord(): string | undefined {
    const ended = word
    const wasQuoted = isQuoted
    word = ''
    isQuoted = false
    if (ended === '' && !wasQuoted) return undefined
    if (!isFirst) return undefined
    isFirst = false
    if (!wasQuoted && programs.includes(ended)) return undefined
    return `a command must begin with one of ${programs.join(', ')}, but one begins with ${JSON.stringify(ended.slice(0, 40))}`
  }

  /** Ends a call. */
  function endCall(): string | undefined {
    const wrong = endWord()
    const call = command.slice(from, at).trim()
    if (call !== '' && !isFirst) found(call)
    isFirst = true
    return wrong
  }

  while (at < command.length) {
    const rest = command.slice(at)
    const [character = ''] = rest
    if (character === '\\') {
      if (rest[1] !== '\n') word += rest[1] ?? '\\'
      isQuoted = true
      at += 2
    } else if (character === "'" || character === '"') {
      const quoted = character === "'" ? /^'[^']*'/.exec(rest) : /^"(?:[^"\\]|\\[^])*"/.exec(rest)
      if (quoted === null) return `a quote (${character}) is not closed`
      const expands = character === '"' ? expansionIn(quoted[0].replace(/\\[^]/g, '  ')) : undefined
      if (expands !== undefined) return expands
      word += quoted[0].slice(1, -1)
      isQuoted = true
      at += quoted[0].length
    } else if (character === '$' || character === '`') {
      const expands = expansionIn(rest.slice(0, 2))
      if (expands !== undefined) return expands
      word += character
      at += 1
    } else if (character === '#' && word === '' && !isQuoted) {
      const problem = endCall()
      if (problem !== undefined) return problem
      at += /^[^\n]*/.exec(rest)?.[0].length ?? 1
      from = at
    } else if (character === '<') {
      const heredoc = /^<<-?[ \t]*(?:'([\w-]+)'|"([\w-]+)")/.exec(rest)
      if (heredoc === null) {
        return `"<" is refused, but for text of several lines behind a quoted word: kugetsu start <issue-ref> - <<'END'`
      }
      const problem = endWord()
      if (problem !== undefined) return problem
      heredocs.push(heredoc[1] ?? heredoc[2] ?? '')
      at += heredoc[0].length
    } else if (character === '>') {
      const harmless = /^>(?:&[12]|>?[ \t]*\/dev\/null)(?![^\s;|&])/.exec(rest)
      if (harmless === null || !/^\d?$/.test(word)) return 'output cannot be redirected (">" is fine inside quotes)'
      word = ''
      at += harmless[0].length
    } else if (character === '\n' || /^(?:;|&&|\|\|?)(?![;&|])/.test(rest)) {
      const problem = endCall()
      if (problem !== undefined) return problem
      at += /^(?:&&|\|\||[^])/.exec(rest)?.[0].length ?? 1
      if (character === '\n') {
        for (const delimiter of heredocs.splice(0)) {
          const body = new RegExp(`^(?:[^\\n]*\\n)*?\\t*${delimiter}(?=\\n|$)`).exec(command.slice(at))
          if (body === null) return `the text behind <<'${delimiter}' does not end`
          at += body[0].length
        }
      }
      from = at
    } else if (/[;&|(){}]/.test(character) && !isPartOfWord(character, rest, word)) {
      return `"${character}" is refused outside quotes`
    } else if (character === ' ' || character === '\t') {
      const problem = endWord()
      if (problem !== undefined) return problem
      at += 1
    } else {
      word += character
      at += 1
    }
  }
  if (heredocs.length > 0) return 'the text behind << is missing'
  return endCall()
}

/** `HEAD@{1}` and `{a,b}` are words; a brace that stands alone begins a block. */
function isPartOfWord(character: string, rest: string, word: string): boolean {
  return (character === '{' || character === '}') && (word !== '' || /^.[^\s;]/.test(rest))
}

function expansionIn(text: string): string | undefined {
  if (text.includes('`')) return 'a ` is refused outside single quotes'
  if (/\$[\w({$!?@*#'"-]/.test(text)) return 'a $ is refused outside single quotes, where the shell would expand it'
  return undefined
}
