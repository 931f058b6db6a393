import { describe, expect, it } from 'vitest'
import { createNarrator, wrap } from '../../src/demo/narration.ts'
import { createTranscriptView } from '../../src/demo/transcript-view.ts'

function stage(columns: number, colour = false) {
  let said = ''
  const narrator = createNarrator({ columns, colour, out: (text) => (said += text) })
  return { narrator, said: () => said }
}

describe('wrapping', () => {
  it('breaks at spaces, keeps the indent and hangs further rows', () => {
    expect(wrap('  one two three', 9)).toEqual(['  one two', '  three'])
    expect(wrap('  one two three', 9, 2)).toEqual(['  one two', '    three'])
    expect(wrap('', 9)).toEqual([''])
  })

  it('leaves long words whole', () => {
    expect(wrap('see /a/very/long/path now', 8)).toEqual(['see', '/a/very/long/path', 'now'])
    expect(wrap('/a/very/long/path', 8, 2)).toEqual(['/a/very/long/path'])
    expect(wrap('    /a/very/long/path', 8, 2)).toEqual(['    /a/very/long/path'])
  })
})

describe('the narrator', () => {
  it('shows a command that is too wide in rows that a shell takes', () => {
    const { narrator, said } = stage(50)
    narrator.command(['kugetsu', 'start', 'file:///tmp/somewhere/tea.git#1', 'fix it and everything else'])
    expect(said()).toBe(
      '\n   $ kugetsu start \\\n       file:///tmp/somewhere/tea.git#1 \\\n       "fix it and everything else"\n',
    )
  })

  it('stays within the width and uses no colour where there is none', () => {
    const { narrator, said } = stage(50)
    narrator.frame('A title', 'word '.repeat(40).trim())
    narrator.step('A step')
    narrator.say('word '.repeat(40).trim())
    narrator.command(['kugetsu', 'start', 'a/b/c#1', 'fix it'])
    narrator.line('word '.repeat(40).trim())
    expect(
      Math.max(
        ...said()
          .split('\n')
          .map((row) => row.length),
      ),
    ).toBeLessThanOrEqual(50)
    expect(said()).toContain('$ kugetsu start a/b/c#1 "fix it"\n')
    expect(said()).not.toContain('\u001b')
    const coloured = stage(50, true)
    coloured.narrator.step('A step')
    expect(coloured.said()).toContain('\u001b')
  })

  it('leaves out the empty lines that an output ends with, not those within', () => {
    const { narrator, said } = stage(80)
    for (const line of ['one', '', 'two', '', '']) narrator.line(line)
    narrator.command(['next'])
    expect(said()).toBe('   │ one\n   │\n   │ two\n\n   $ next\n')
  })
})

describe('a transcript', () => {
  it('is shown without its head, and of the task the last line', () => {
    const shown: string[] = []
    const view = createTranscriptView({
      line: (text) => shown.push(text),
      remark: (text) => shown.push(`(${text.trim()})`),
    })
    const lines = [
      '────',
      'demo/a/b#1',
      '',
      '10:00:00 ▶ task',
      '  one',
      '',
      '  two',
      '  do it',
      '10:00:01 $ ls',
      '  file',
    ]
    lines.forEach(view)
    expect(shown).toEqual(['10:00:00 ▶ task', expect.stringContaining('2 lines'), '  do it', '10:00:01 $ ls', '  file'])
  })
})
