/** The demo itself: the commands, their order, and the words. */
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import { exitCodes, KugetsuError } from '../core/errors.ts'
import { baseNameOf } from '../core/issue-names.ts'
import { formatRef, type IssueRef } from '../core/issue-ref.ts'
import { brokenOff, closingWords, openingWords, type Ending } from './frame.ts'
import { configure } from './configure.ts'
import { createNarrator, type Audience, type Narrator } from './narration.ts'
import { projectFiles } from './project.ts'
import { createRepository } from './repository.ts'
import { startScriptedModel } from './scripted-model.ts'
import { createScreenplay, parts, type Screenplay } from './screenplay.ts'
import { createStage, type DemoHome, type Finished, type Stage } from './stage.ts'
import { createTranscriptView } from './transcript-view.ts'

/** A repository on this machine has no server: its host is `local`. */
const repository = { host: 'local', owner: 'tea', repo: 'shop' }
const limit = 2
const atWorkMs = 60_000

export interface DemoOptions {
  /** Leave the throwaway home where it is, for a look around. */
  keep: boolean
}

/**
 * Plays the demo to `audience`, in about 15 seconds. Nothing is left behind when it is over, however it ends, except
 * its directory with `keep`. Throws KugetsuError `demo_failed` when a step does not go as it should.
 */
export async function playDemo(home: DemoHome, audience: Audience, options: DemoOptions): Promise<void> {
  const began = Date.now()
  const narrator = createNarrator(audience)
  // From here on we handle signals. This must come before there is anything to leave behind.
  home.signal.throwIfAborted()
  const stage = createStage(home)
  const ending: Ending = { ...options, root: stage.root, paths: stage.paths }
  // Runs at the signal itself and in one go, so that another Ctrl-C finds it done.
  const breakOff = () => {
    stage.clear(options)
    brokenOff(narrator, ending)
  }
  home.signal.addEventListener('abort', breakOff)
  const closing: (() => void | Promise<void>)[] = []
  try {
    openingWords(narrator, ending)
    const screenplay = createScreenplay((issue) => path.join(stage.paths.worktrees, baseNameOf(refOf(issue))))
    const model = await startScriptedModel({ answer: screenplay.answer })
    closing.push(model.close)
    configure(stage, { limit, modelUrl: model.url })
    const directory = await createRepository(stage, `${repository.owner}/${repository.repo}`, projectFiles)
    await play({ home, stage, narrator, directory, screenplay }, options)
  } finally {
    stage.clear(options)
    home.signal.removeEventListener('abort', breakOff)
    for (const close of closing) await close()
  }
  closingWords(narrator, home, { ...ending, seconds: Math.round((Date.now() - began) / 1000) })
}

interface Scene {
  home: DemoHome
  stage: Stage
  narrator: Narrator
  /** The bare repository. */
  directory: string
  screenplay: Screenplay
}

async function play(scene: Scene, options: DemoOptions): Promise<void> {
  const { narrator, screenplay } = scene
  const [first, second] = parts.map(({ issue }) => `${repository.repo}#${issue}`) as [string, string]

  narrator.step('One command puts an agent on an issue')
  narrator.say(
    'The first one sets kugetsu up. Name an issue by its page (https://github.com/you/app/issues/14) or, as here, by the URL to clone its repository from:',
  )
  const [one, two] = parts
  await kugetsu(scene, ['start', `${pathToFileURL(scene.directory).href}#${one.issue}`, one.message])
  narrator.say(
    'Each issue gets a git worktree and a branch of its own, so agents never meet. `start` returns once its agent works.',
  )
  await kugetsu(scene, ['start', formatRef(refOf(two.issue)), two.message])
  await soon(screenplay.allAtWork, scene)

  narrator.step('Never more agents than you allow')
  narrator.say(`Here that is ${limit} (MAX_CONCURRENT_AGENTS). A third one is refused, and nothing is made for it:`)
  await kugetsu(scene, ['start', formatRef(refOf('3')), 'Sell biscuits'], { expected: exitCodes.noFreeSlot })
  narrator.remark(`(exit code ${exitCodes.noFreeSlot}: a script can tell, and try again later)`)
  await kugetsu(scene, ['list'])

  narrator.step('Watch them work')
  narrator.say(
    'They share one opencode server; a daemon in the background keeps their transcripts. `logs -f` follows one live. (shop#1 is short for local/tea/shop#1.)',
  )
  screenplay.goOn()
  await kugetsu(scene, ['logs', '-f', first], { print: createTranscriptView(narrator), inPipe: true })
  narrator.say('The other one has worked at the same time:')
  await kugetsu(scene, ['wait', first, second])
  await kugetsu(scene, ['logs', second], { print: createTranscriptView(narrator), inPipe: true })

  narrator.step('What came of it')
  narrator.say('Two fixes, each pushed to a branch of its own. The repository has them, and main is as it was:')
  const log = ['git', '-C', path.basename(scene.directory), 'log', '--oneline', '--graph', '--decorate', '--all']
  await shown(scene, log as [string, ...string[]], { cwd: path.dirname(scene.directory) })

  if (options.keep) return
  narrator.step('Clean up')
  narrator.say('`destroy` removes worktree and session. It refuses while work would be lost; here all of it is pushed.')
  for (const tail of [first, second]) await kugetsu(scene, ['destroy', '-y', tail])
  narrator.say('Both slots are free again. With nothing left to do, daemon and server end by themselves after a while:')
  await kugetsu(scene, ['status'])
}

interface CommandOptions {
  cwd?: string
  /** The exit code it has to end with; 0 without. */
  expected?: number
  /** Instead of the narrator. */
  print?: (line: string) => void
  /** It prints what it prints into a pipe, not what a person sees. */
  inPipe?: boolean
}

function kugetsu(scene: Scene, args: string[], options: CommandOptions = {}): Promise<Finished> {
  return shown(scene, [...scene.home.self, ...args], options, ['kugetsu', ...args])
}

/** Runs a command before the audience's eyes. Throws KugetsuError `demo_failed` when it does not end as expected. */
async function shown(
  { stage, narrator }: Scene,
  command: readonly [string, ...string[]],
  { cwd = stage.root, expected = exitCodes.done, print, inPipe = false }: CommandOptions = {},
  typed: readonly string[] = command,
): Promise<Finished> {
  narrator.command(typed)
  const env = inPipe ? {} : { KUGETSU_FORCE_TTY: String(narrator.columns) }
  const finished = await stage.run(command, { cwd, env, onLine: print ?? narrator.line })
  if (finished.exitCode === expected) return finished
  if (print !== undefined) finished.lines.forEach(narrator.line)
  throw failed(`"${typed.join(' ')}" ended with exit code ${finished.exitCode}, not ${expected}; its output is above`)
}

/** Waits for the agents to be at work, but neither for ever nor after an interruption. */
async function soon(done: Promise<void>, { home }: Scene): Promise<void> {
  const given = AbortSignal.any([home.signal, AbortSignal.timeout(atWorkMs)])
  const over = new Promise<'over'>((resolve) => given.addEventListener('abort', () => resolve('over'), { once: true }))
  if ((await Promise.race([done, over])) !== 'over') return
  home.signal.throwIfAborted()
  throw failed(`the agents did not get to work within ${atWorkMs / 1000} s`)
}

function failed(what: string): KugetsuError {
  return new KugetsuError(what, {
    hint: '"kugetsu demo --keep" leaves its files for a look, the logs of opencode and the daemon among them.',
    code: 'demo_failed',
  })
}

function refOf(issue: string): IssueRef {
  return { ...repository, id: issue }
}
