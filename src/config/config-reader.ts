/** A place in the text of a config file. */
export class ConfigReader {
  readonly text: string
  at = 0
  private countedTo = 0
  private counted = 1

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
