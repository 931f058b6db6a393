/** The programs that a person has chosen by variables: an editor, a browser. They are run without a shell. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { builtins } from '../../core/builtins.ts'
import { KugetsuError } from '../../core/errors.ts'
import { readCommand } from '../../core/shell-words.ts'
import { NotUnderstood } from '../../core/shell-quotes.ts'
import { isExecutable } from '../../platform/executable.ts'
import type { Context } from './context.ts'

/** How long the system's opener is watched for a failure, in milliseconds: some stay as long as the browser. */
const openMs = 3_000

const wsl = 'WSL_DISTRO_NAME'
/** The variables that say that there is a display. */
const displays = ['DISPLAY', 'WAYLAND_DISPLAY', wsl]

/**
 * The words of the first set variable of these, as a shell reads them; undefined when none is. A path with blanks
 * needs no quotes if it names a file. Throws KugetsuError `bad_setting` for anything but a program and its arguments.
 */
export function chosenProgram(
  env: NodeJS.ProcessEnv,
  variables: readonly string[],
): { variable: string; words: string[] } | undefined {
  const variable = variables.find((name) => (env[name] ?? '').trim() !== '')
  if (variable === undefined) return undefined
  const text = (env[variable] ?? '').trim()
  if (path.isAbsolute(text) && fs.statSync(text, { throwIfNoEntry: false })?.isFile() === true) {
    return { variable, words: [text] }
  }
  try {
    const [pipeline, ...more] = readCommand(text)
    const [call, ...others] = pipeline?.calls ?? []
    const isPlain = call?.input === undefined && call?.out === 'out' && call.err === 'err'
    if (call === undefined || more.length + others.length > 0 || !isPlain) {
      throw new NotUnderstood('it is more than one program')
    }
    return { variable, words: call.words }
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error
    throw new KugetsuError(`${variable} is not a program with arguments: ${error.message}`, {
      hint: `Set it to words alone, such as ${variable}="code -n". No shell reads it.`,
      code: 'bad_setting',
    })
  }
}

/**
 * Runs a program in the terminal until it ends; returns its exit code. Throws KugetsuError `program_missing` when it cannot
 * be run.
 */
export async function runInTerminal(
  context: Context,
  { variable, words }: { variable: string; words: readonly string[] },
  cwd?: string,
): Promise<number> {
  const { execa } = await import('execa')
  // Ctrl-C belongs to the program. Asked for here, the signal does not end us.
  void context.signal
  const [program = '', ...args] = words
  const result = await execa(program, args, { stdio: 'inherit', reject: false, ...(cwd === undefined ? {} : { cwd }) })
  if (result.exitCode !== undefined) return result.exitCode
  if (result.signal !== undefined) return 128 + (os.constants.signals[result.signal] ?? 0)
  throw new KugetsuError(
    `${program} (from ${variable}) cannot be run: ${result.originalMessage ?? 'it did not start'}`,
    {
      hint: `Correct or unset ${variable}.`,
      code: 'program_missing',
    },
  )
}

/**
 * Opens a page: with $BROWSER, in the terminal, else with the system's own opener. Throws KugetsuError `no_browser`, which
 * names the page, when there is none, or no display, or when it fails.
 */
export async function openInBrowser(context: Context, url: string): Promise<void> {
  const none = (why: string) =>
    new KugetsuError(`${why}; the page is ${url}`, {
      hint: 'Open that address yourself, or set BROWSER to a program that does.',
      code: 'no_browser',
    })
  const chosen = chosenProgram(context.env, ['BROWSER'])
  if (chosen !== undefined) {
    const code = await runInTerminal(context, { ...chosen, words: [...chosen.words, url] })
    if (code !== 0) throw none(`${chosen.words[0]} (from BROWSER) ended with ${code}`)
    return
  }
  const { platform } = process
  const isWsl = Boolean(context.env[wsl])
  // xdg-open would start a text browser.
  const hasDisplay = platform === 'darwin' || displays.some((name) => context.env[name])
  if (!hasDisplay) throw none('there is no display for a browser')
  const openers = platform === 'darwin' ? ['open'] : isWsl ? ['wslview', 'xdg-open'] : ['xdg-open', 'wslview']
  const program = openers.flatMap((name) => onPath(context.env, name) ?? [])[0]
  if (program === undefined) throw none(`there is neither BROWSER nor ${openers.join(' nor ')}`)
  const failure = await startedOpener(context, program, url)
  if (failure !== undefined) throw none(`${path.basename(program)} ${failure}`)
}

/** Starts the opener, which goes on alone. Returns how it failed, if it did so soon. */
async function startedOpener(context: Context, program: string, url: string): Promise<string | undefined> {
  const child = builtins.childProcess.spawn(program, [url], { stdio: 'ignore', detached: true, env: context.env })
  const failed = new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(`cannot be run: ${error.message}`))
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : `ended with ${code ?? signal}`))
  })
  const wait = new AbortController()
  const watched = sleep(openMs, undefined, { signal: wait.signal }).catch(() => undefined)
  try {
    return await Promise.race([failed, watched])
  } finally {
    wait.abort()
    child.unref()
  }
}

function onPath(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const directories = (env['PATH'] ?? '').split(path.delimiter).filter((each) => path.isAbsolute(each))
  return directories.map((directory) => path.join(directory, name)).find(isExecutable)
}
