import { isWider } from '../../core/columns.ts'

/**
 * The text in lines of at most `width` columns, broken at spaces. Each line after the first begins with `indent`, which does
 * not count. A longer word stays whole, so that commands and paths can be copied.
 */
export function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && isWider(`${line} ${word}`, width)) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join(`\n${indent}`)
}
