/** kugetsu in a real terminal: a pseudo-terminal made by `script` of util-linux. */
import { spawn, spawnSync } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import type { Home } from './home.ts'
import { kugetsuCommand } from './kugetsu.ts'
import { waitFor } from './wait-for.ts'

/** Whether terminals can be made here; `script` is on every Debian, Ubuntu and Fedora. */
export const hasTerminals = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0

export const ctrlC = '\u0003'
export const ctrlD = '\u0004'

export interface Terminal {
  /** All that was shown, without control sequences. */
  shown: () => string
  /** The same with them. */
  raw: () => string
  /** Waits until what was shown since the last call matches. */
  until: (text: RegExp) => Promise<void>
  /** As a person types it: with `\r` for the key Enter. */
  type: (keys: string) => void
  /** The exit code, once the program has ended. */
  ended: Promise<number | null>
  /** Takes the terminal away from under the program, as closing its window does. */
  close: () => void
}

/** Starts kugetsu, or another program, in a terminal of so many columns, and 40 lines. Close it when the test is done. */
export function openTerminal(
  home: Home,
  args: string[],
  columns = 80,
  { command = kugetsuCommand, cwd = home.cwd }: { command?: readonly string[]; cwd?: string } = {},
): Terminal {
  const words = [...command, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
  const child = spawn('script', ['-qec', `stty rows 40 cols ${columns}; exec ${words.join(' ')}`, '/dev/null'], {
    cwd,
    env: { ...home.env, TERM: 'xterm-256color', NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let shown = ''
  let from = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text))
  child.stdin.on('error', () => {}) // it may have ended
  const plain = () => stripVTControlCharacters(shown)
  return {
    shown: plain,
    raw: () => shown,
    until: async (text) => {
      await waitFor(`${text} on the screen of ${args.join(' ')}`, () => text.test(plain().slice(from)))
      from = plain().length
    },
    type: (keys) => void child.stdin.write(keys),
    ended: new Promise((resolve, reject) => child.on('error', reject).on('close', resolve)),
    close: () => void child.kill('SIGKILL'),
  }
}

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
  const terminal = openTerminal(home, args, columns)
  try {
    for (const { question, answer } of dialogue) {
      await terminal.until(question)
      terminal.type(`${answer}\r`)
    }
    return { code: await terminal.ended, shown: terminal.shown() }
  } finally {
    terminal.close()
  }
}
