/**
 * The markers by which the last user message tells the scripted model what to do: in order of appearance, one tool call a
 * turn, and at the end the trailing SAY, or "Done.".
 *
 *   BASH{{command}}   call the bash tool            TOOL{{name {"json": 1}}}   call any tool
 *   SAY{{text}}       say it                        QUESTION!                  call the question tool
 *   REASON{{text}}    think it                      RAW{{name text}}           call any tool with that as its arguments
 *   FINISH=length     the finish reason of the turn that it stands in (that of the next call); none: end it without one
 *   TOKENS=150000     say of that turn that it took that many tokens
 *   FAIL=500          answer with that status       FAILONCE=500               the same, but only the first time
 *   HANG!             never answer
 *   SLEEP=0.5         wait that many seconds before every turn
 *   GATE=name         wait before the first turn until release('name')
 *   LOOP!             begin with the first call again after the last one
 *   RESUMES!          when kugetsu says that the work was interrupted, or has no answer, go on with this script where it
 *                     was; else that message is one like any other, without a script
 *
 * Requests are stateless and many agents share the model, so the conversation tells how far a script is: by the tool results
 * since that message. A steering message is a newer user message and so starts a script of its own.
 */
import { goOnMessage, resumeMessage, troubleMessage } from '../agents/dev-agent.ts'
import { parseObject, type Answer, type ModelRequest } from './chat-completions.ts'

type Step =
  | { kind: 'call'; name: string; args: Record<string, unknown> | string }
  | { kind: 'say'; text: string }
  | { kind: 'reason'; text: string }
  | { kind: 'finish'; reason: string }
  | { kind: 'tokens'; count: number }
  | { kind: 'fail'; status: number; once: boolean }
  | { kind: 'hang' }

interface Script {
  steps: Step[]
  gates: string[]
  sleepMs: number
  loops: boolean
  resumes: boolean
}

/** opencode's words to the model for a call that was running when the server died. */
const cutOff = '[Tool execution was interrupted]'

/**
 * The script that a request obeys, how many of its tool calls have their result, and which user message of the
 * conversation (from 1) it is. Throws as parseScript.
 */
export function scriptOf(request: ModelRequest): { script: Script; results: number; message: number } {
  const users = request.messages.flatMap(({ role }, index) => (role === 'user' ? [index] : []))
  const textAt = (at: number) => request.messages[users[at] ?? -1]?.text ?? ''
  let at = users.length - 1
  while (at > 0 && [resumeMessage, troubleMessage, goOnMessage].includes(textAt(at).trim())) at--
  let script = parseScript(textAt(at))
  if (at < users.length - 1 && !script.resumes) {
    at = users.length - 1
    script = parseScript(textAt(at))
  }
  const since = request.messages.slice((users[at] ?? -1) + 1)
  const results = since.filter(({ role, text }) => role === 'tool' && !text.includes(cutOff)).length
  return { script, results, message: at + 1 }
}

/** How many tool calls since the last user message have their result. */
export function toolResults({ messages }: ModelRequest): number {
  const from = messages.findLastIndex(({ role }) => role === 'user')
  return messages.slice(from + 1).filter(({ role }) => role === 'tool').length
}

/** The answer of the turn that comes after `results` tool results; `failedBefore` is asked once per FAILONCE. */
export function nextAnswer(
  { steps, loops }: Pick<Script, 'steps' | 'loops'>,
  results: number,
  failedBefore: (step: number) => boolean,
): Answer {
  const said: string[] = []
  const answer: Answer = {}
  const all = steps.filter(({ kind }) => kind === 'call').length
  const done = loops && all > 0 ? results % all : results
  let calls = 0
  for (const [index, step] of steps.entries()) {
    const past = calls < done
    if (step.kind === 'call') calls++
    if (past) continue
    if (step.kind === 'call') return { ...answer, text: said.join('\n'), call: { name: step.name, args: step.args } }
    if (step.kind === 'hang') return { hang: true }
    if (step.kind === 'say') said.push(step.text)
    else if (step.kind === 'reason') answer.reasoning = step.text
    else if (step.kind === 'finish') answer.finish = step.reason
    else if (step.kind === 'tokens') answer.tokens = step.count
    else if (!step.once || !failedBefore(index)) return { status: step.status }
  }
  const isSilent = said.length === 0 && answer.reasoning === undefined
  return { ...answer, text: isSilent ? 'Done.' : said.join('\n') }
}

const marker =
  /\b(?:(BASH|SAY|REASON|TOOL|RAW)\{\{|(SLEEP|GATE|FAILONCE|FAIL|FINISH|TOKENS)=([\w.-]*\w)|(QUESTION|HANG|LOOP|RESUMES)!)/g
// The braces that close are the last two of a run, so that BASH{{echo ${x}}} and nested JSON work.
const closing = /\}\}(?!\})/g

/** Reads the markers of a message. Throws an Error that shows the one that cannot be read. */
export function parseScript(text: string): Script {
  const script: Script = { steps: [], gates: [], sleepMs: 0, loops: false, resumes: false }
  const finder = new RegExp(marker)
  for (let found = finder.exec(text); found !== null; found = finder.exec(text)) {
    const [, braced, setting, value = '', plain] = found
    if (braced !== undefined) {
      const { step, end } = bracedStep(braced, text, finder.lastIndex)
      script.steps.push(step)
      finder.lastIndex = end
    } else if (setting === 'SLEEP') script.sleepMs = numberOf(setting, value) * 1000
    else if (setting === 'GATE') script.gates.push(value)
    else if (setting === 'FINISH') script.steps.push({ kind: 'finish', reason: value })
    else if (setting === 'TOKENS') script.steps.push({ kind: 'tokens', count: numberOf(setting, value) })
    else if (setting !== undefined) {
      script.steps.push({ kind: 'fail', status: numberOf(setting, value), once: setting === 'FAILONCE' })
    } else if (plain === 'RESUMES') script.resumes = true
    else if (plain === 'LOOP') script.loops = true
    else if (plain === 'HANG') script.steps.push({ kind: 'hang' })
    else script.steps.push({ kind: 'call', name: 'question', args: { questions: [question] } })
  }
  return script
}

function bracedStep(kind: string, text: string, from: number): { step: Step; end: number } {
  const closer = new RegExp(closing)
  closer.lastIndex = from
  for (let found = closer.exec(text); found !== null; found = closer.exec(text)) {
    const inside = text.slice(from, found.index)
    const step = kind === 'TOOL' ? toolStep(inside) : textStep(kind, inside)
    // Not JSON yet: these braces belong to the arguments.
    if (step !== undefined) return { step, end: closer.lastIndex }
  }
  throw new Error(`scripted model: cannot read ${kind}{{${text.slice(from, from + 200)}`)
}

function textStep(kind: string, inside: string): Step {
  if (kind === 'SAY') return { kind: 'say', text: inside }
  if (kind === 'REASON') return { kind: 'reason', text: inside }
  if (kind === 'RAW') {
    const [, name = '', args = ''] = /^\s*([\w-]+) ?([^]*)$/.exec(inside) ?? []
    return { kind: 'call', name, args }
  }
  return { kind: 'call', name: 'bash', args: { command: inside, description: 'Scripted command' } }
}

function toolStep(inside: string): Step | undefined {
  const [, name, json = ''] = /^\s*([\w-]+)\s*([^]*)$/.exec(inside) ?? []
  const args = json.trim() === '' ? {} : parseObject(json)
  return name === undefined || args === undefined ? undefined : { kind: 'call', name, args }
}

function numberOf(setting: string, value: string): number {
  const number = Number(value)
  if (Number.isNaN(number)) throw new Error(`scripted model: ${setting}=${value} is not a number`)
  return number
}

const question = {
  question: 'Which one?',
  header: 'Choice',
  options: [
    { label: 'first', description: 'the first' },
    { label: 'second', description: 'the second' },
  ],
}
