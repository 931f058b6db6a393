/**
 * Reads shell text into the words that bash would pass on, without expanding or running anything. Throws NotUnderstood for
 * what bash would expand, and for what is not understood for certain. test/core/shell-words.test.ts compares with bash. Also
 * part of the plugin inside opencode: plain JavaScript only.
 */
import { NotUnderstood, quotedPiece } from './shell-quotes.ts'

/** Where the output of a call goes: to its given standard output or error, or nowhere. */
export type Output = 'out' | 'err' | 'nowhere'

export interface Call {
  /** The program and its arguments; never empty. */
  words: string[]
  /** The body of a here-document, which is its standard input. */
  input: string | undefined
  out: Output
  err: Output
}

/** Calls that pass their output on to the next call. */
export interface Pipeline {
  calls: Call[]
  /** The operator before this pipeline; `;` for the first one and after a new line. */
  after: ';' | '&&' | '||'
}

/** The pipelines of a command, in order. Throws NotUnderstood. */
export function readCommand(text: string): Pipeline[] {
  if (/[\p{Cc}\p{Cs}]/u.test(text.replace(/[\t\n\r]/g, ''))) {
    throw new NotUnderstood('it holds a control character')
  }
  return new CommandReader(text).read()
}

/** Words that begin or end something other than a call, where a call could begin. */
const reserved = new Set(
  '! [[ ]] { } case coproc do done elif else esac fi for function if in select then time until while'.split(' '),
)

interface Word {
  text: string
  /** The word as written, with `q` for each quoted character. */
  shape: string
  quoted: boolean
}

interface HereDocument {
  call: Call
  delimiter: string
  literal: boolean
  /** `<<-`: leading tabs are removed. */
  tabs: boolean
}

class CommandReader {
  private at = 0
  private readonly text: string
  /** The here-documents that begin after this line. */
  private pending: HereDocument[] = []

  constructor(text: string) {
    this.text = text
  }

  read(): Pipeline[] {
    const found: Pipeline[] = []
    let after: Pipeline['after'] | undefined = ';'
    for (;;) {
      this.skipLines()
      if (this.at >= this.text.length) break
      if (after === undefined) throw this.unexpected()
      found.push({ calls: this.pipeline(), after })
      after = this.separator()
      if (after === '&&' || after === '||') {
        this.skipLines()
        if (this.at >= this.text.length) throw new NotUnderstood(`nothing follows ${after}`)
      }
    }
    if (this.pending.length > 0) throw new NotUnderstood('the text after << is missing')
    return found
  }

  private pipeline(): Call[] {
    const calls = [this.call()]
    while (this.peek() === '|' && this.text[this.at + 1] !== '|') {
      if (this.text[this.at + 1] === '&') throw new NotUnderstood('"|&" is refused; write 2>&1 |')
      this.at += 1
      this.skipLines()
      calls.push(this.call())
    }
    return calls
  }

  /** Reads what ends a pipeline; undefined at the end of the text. */
  private separator(): Pipeline['after'] | undefined {
    this.skipBlanks()
    const rest = this.text.slice(this.at, this.at + 2)
    if (rest === '&&' || rest === '||') {
      this.at += 2
      return rest
    }
    if (rest === ';;' || rest === ';&') throw this.unexpected()
    if (rest.startsWith(';')) {
      this.at += 1
      return ';'
    }
    if (rest.startsWith('\n')) return ';'
    if (rest !== '') throw this.unexpected()
    return undefined
  }

  private call(): Call {
    const call: Call = { words: [], input: undefined, out: 'out', err: 'err' }
    for (;;) {
      const next = this.peek()
      if (next === undefined || '\n;&|'.includes(next)) break
      if (next === '<' || next === '>') {
        this.redirection(call, '')
        continue
      }
      const word = this.word()
      const behind = this.text[this.at]
      if (behind === '<' || behind === '>') {
        if (word.quoted || !/^\d+$/.test(word.text)) throw new NotUnderstood(`a space is missing before "${behind}"`)
        this.redirection(call, word.text)
        continue
      }
      if (call.words.length === 0) refuseAsProgram(word)
      call.words.push(word.text)
    }
    if (call.words.length === 0) throw this.unexpected()
    return call
  }

  /** Reads what begins with `<` or `>`; `number` is the text before it. */
  private redirection(call: Call, number: string): void {
    const operator = /(?:<<<|<<-|<<|<[(&>]?|>>|>\||>&|>\(|>)/y
    operator.lastIndex = this.at
    const [found = ''] = operator.exec(this.text) ?? []
    this.at += found.length
    if (found === '<<' || found === '<<-') {
      if (number !== '' || call.input !== undefined || this.pending.some((each) => each.call === call)) {
        throw new NotUnderstood('a call takes only one text after <<')
      }
      const { text, quoted } = this.operand(found)
      if (text.includes('\n')) throw new NotUnderstood('the word that ends the text after << must be one word')
      this.pending.push({ call, delimiter: text, literal: quoted, tabs: found === '<<-' })
      return
    }
    if (found.startsWith('<')) {
      throw new NotUnderstood(
        `"<" is refused, except for text of several lines after a quoted word: kugetsu start <issue-ref> - <<'END'`,
      )
    }
    const refused = new NotUnderstood('output cannot be redirected (">" is fine inside quotes)')
    if (!['>', '>>', '>&'].includes(found) || !/^[12]?$/.test(number)) throw refused
    const { text } = this.operand(found)
    const from = number === '2' ? 'err' : 'out'
    if (found !== '>&' && text === '/dev/null') call[from] = 'nowhere'
    else if (found === '>&' && text === '1') call[from] = call.out
    else if (found === '>&' && text === '2') call[from] = call.err
    else throw refused
  }

  private operand(operator: string): Word {
    const next = this.peek()
    if (next === undefined || '\n;&|<>'.includes(next)) throw new NotUnderstood(`a word is missing after ${operator}`)
    const word = this.word()
    // In `>&1<<END` and the like, bash reads the digits in its own way.
    if (/[<>]/.test(this.text[this.at] ?? '')) throw new NotUnderstood('a space is missing between redirections')
    return word
  }

  /** The next character of the line outside blanks and comments; undefined at the end. */
  private peek(): string | undefined {
    this.skipBlanks()
    return this.text[this.at]
  }

  private skipBlanks(): void {
    const from = this.at
    this.skip(/(?:[ \t]|\\\n)+/y)
    const isWordStart = this.at > from || this.at === 0 || /[\s;&|]/.test(this.text[this.at - 1] ?? '')
    if (isWordStart) this.skip(/#[^\n]*/y)
  }

  /** Skips blanks, comments and line ends, and reads the here-documents after them. */
  private skipLines(): void {
    while (this.peek() === '\n') {
      this.at += 1
      for (const each of this.pending.splice(0)) each.call.input = this.body(each)
    }
  }

  private body({ delimiter, literal, tabs }: HereDocument): string {
    let body = ''
    while (this.at < this.text.length) {
      const end = this.text.indexOf('\n', this.at)
      const written = this.text.slice(this.at, end === -1 ? undefined : end)
      const line = tabs ? written.replace(/^\t+/, '') : written
      this.at = end === -1 ? this.text.length : end + 1
      if (line === delimiter) {
        if (!literal && /[$`\\]/.test(body)) {
          throw new NotUnderstood(`text with $, \` or \\ needs quotes around the word after <<: <<'${delimiter}'`)
        }
        return body
      }
      body += `${line}\n`
    }
    throw new NotUnderstood(`the text after << does not end in a line ${delimiter}`)
  }

  private word(): Word {
    const word: Word = { text: '', shape: '', quoted: false }
    for (;;) {
      const character = this.text[this.at]
      if (character === undefined || ' \t\n;&|<>'.includes(character)) break
      const piece = quotedPiece(this.text, this.at, () => refuseExpansion())
      if (piece !== undefined) {
        word.quoted ||= !this.text.startsWith('\\\n', this.at)
        word.text += piece.value
        word.shape += piece.value.replace(/[^]/g, 'q')
        this.at = piece.end
        continue
      }
      if (character === '$' || character === '`') refuseExpansion()
      if ('()'.includes(character)) throw new NotUnderstood(`"${character}" is refused outside quotes`)
      if ('*?['.includes(character)) {
        throw new NotUnderstood(`"${character}" is refused outside quotes, where the shell would look for files`)
      }
      if (character === '~' && /(?:^|[=:])$/.test(word.text)) throw new NotUnderstood('"~" is refused outside quotes')
      word.text += character
      word.shape += character
      this.at += 1
    }
    // bash expands braces only with a comma or two dots between them.
    if (/\{[^]*(?:,|\.\.)[^]*\}/.test(word.shape)) throw new NotUnderstood('"{…,…}" is refused outside quotes')
    return word
  }

  private skip(sticky: RegExp): void {
    sticky.lastIndex = this.at
    this.at += sticky.exec(this.text)?.[0].length ?? 0
  }

  private unexpected(): NotUnderstood {
    const next = this.peek()
    return new NotUnderstood(
      next === undefined ? 'the command is not finished' : `${JSON.stringify(next)} is refused here`,
    )
  }
}

function refuseExpansion(): never {
  throw new NotUnderstood('"$" and "`" are refused outside single quotes, where the shell would expand them')
}

function refuseAsProgram({ text, quoted }: Word): void {
  if (!quoted && reserved.has(text)) throw new NotUnderstood(`"${text}" cannot begin a command here`)
  if (/^[A-Za-z_]\w*(?:\+?=|\[)/.test(text)) throw new NotUnderstood('variables cannot be set')
}
