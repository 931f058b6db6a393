/** kugetsu in a real terminal: a pseudo-terminal made by `script` of util-linux. */
import { spawn, spawnSync } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import type { Home } from './home.ts'
import { kugetsuCommand } from './kugetsu.ts'
import { waitFor } from './wait-for.ts'

/** Whether terminals can be made here; `script` is on every Debian, Ubuntu and Fedora. */
export const hasTerminals = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0

/**
 * Runs kugetsu in a terminal, of so many columns; types each answer once what the terminal shows ends in its question.
 * Resolves with the exit code and all that was shown, without control sequences.
 */
export async function inTerminal(
  home: Home,
  args: string[],
  dialogue: { question: RegExp; answer: string }[] = [],
  columns = 80,
): Promise<{ code: number | null; shown: string }> {
  const words = [...kugetsuCommand, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
  const child = spawn('script', ['-qec', `stty cols ${columns}; ${words.join(' ')}`, '/dev/null'], {
    cwd: home.cwd,
    env: { ...home.env, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let shown = ''
  let from = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += stripVTControlCharacters(text)))
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  try {
    for (const { question, answer } of dialogue) {
      await waitFor(`the question ${question}`, () => question.test(shown.slice(from)))
      from = shown.length
      child.stdin.write(`${answer}\n`)
    }
    return { code: await ended, shown }
  } finally {
    child.kill()
  }
}
