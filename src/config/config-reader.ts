/** What may stand in a list: words, quoted text, comments. */
const listPiece = /[^'"\\#)]+|\\[^]|'[^']*'|"[^"\\]*(?:\\[^][^"\\]*)*"|(?<=[\s(])#[^\n]*|(?<![\s(])#/y

/** A place in the text of a config file. */
export class ConfigReader {
  readonly text: string
  at = 0
  private countedTo = 0
  private counted = 1
  /** Where the last list begins. */
  private list: number | undefined
  /** A list that begins has no end. */
  private isCutOff = false

  constructor(text: string) {
    this.text = text
  }

  /** The number of the current line, from 1. Must be called in ascending order. */
  line(): number {
    for (; this.countedTo < this.at; this.countedTo++) if (this.text[this.countedTo] === '\n') this.counted++
    return this.counted
  }

  take(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.at
    const found = sticky.exec(this.text)?.[0]
    this.at += found?.length ?? 0
    return found
  }

  skip(expected: string): boolean {
    if (!this.text.startsWith(expected, this.at)) return false
    this.at += expected.length
    return true
  }

  /** Blanks of this line, and a comment after them. */
  skipBlanks(): this {
    const blanks = this.take(/(?:[ \t]|\\\n)+/y)
    if (blanks !== undefined) this.take(/#[^\n]*/y)
    return this
  }

  /** Blanks, line ends and comments. */
  skipSpace(): this {
    while (this.take(/[ \t\n]+|#[^\n]*/y) !== undefined);
    return this
  }

  /** Skips what opens a list, and remembers its place for skipOpenList(). */
  skipIntoList(opening: string): boolean {
    if (!this.skip(opening)) return false
    this.list = this.at
    return true
  }

  /**
   * Goes behind the `)` of the list in which the current statement stopped: the lines of a list are no statements. False, and
   * at no new place, where it stopped in none or no `)` is left.
   */
  skipOpenList(start: number): boolean {
    if (this.isCutOff || this.list === undefined || this.list < start) return false
    this.at = this.list
    while (this.take(listPiece) !== undefined);
    if (this.skip(')')) return true
    this.isCutOff = true
    return false
  }

  skipLine(): void {
    this.take(/[^\n]*/y)
  }

  /** Goes to the next statement; false at the end of the text. */
  skipToStatement(): boolean {
    while (this.take(/[ \t\n;]+|#[^\n]*/y) !== undefined);
    return this.at < this.text.length
  }

  /** The statement is over. */
  ended(): boolean {
    return this.at >= this.text.length || /[\n;]/.test(this.text[this.at] ?? '')
  }

  peekWord(): string {
    const from = this.at
    const word = this.take(/[^\s=;[]*/y) ?? ''
    this.at = from
    return word
  }
}
