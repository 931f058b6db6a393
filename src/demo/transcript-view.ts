import type { Narrator } from './narration.ts'

const entry = /^\d\d:\d\d:\d\d /

/**
 * Takes the lines of a transcript as they come and shows what the agent did. The head is not shown, because `start` has
 * printed it. Of the task only the last line is shown: the message that `start` was given.
 */
export function createTranscriptView(narrator: Pick<Narrator, 'line' | 'remark'>): (line: string) => void {
  let part: 'head' | 'task' | 'work' = 'head'
  const task: string[] = []
  return (line) => {
    if (part === 'task' && entry.test(line)) {
      const said = task.pop()
      if (task.length > 0)
        narrator.remark(`  … ${task.length} lines of instructions, the same for every agent; then yours:`)
      if (said !== undefined) narrator.line(said)
      part = 'work'
    }
    if (part === 'work') narrator.line(line)
    else if (part === 'task') task.push(...(line.trim() === '' ? [] : [line]))
    else if (line.includes('▶ task')) {
      narrator.line(line)
      part = 'task'
    }
  }
}
