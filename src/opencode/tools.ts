/** How each of opencode's tools shows in a transcript: commands with their output, everything else on a line. */
import * as path from 'node:path'
import { plainLine } from '../core/plain-text.ts'
import type { Part } from './api/schemas.ts'
import { duration, excerpt, indent } from '../core/prose.ts'
import { listAt, numberAt, recordAt, textAt } from '../core/unknown-data.ts'

interface ToolOptions {
  directory: string | undefined
  mask: (text: string) => string
}

interface Call {
  tool: string
  title: string | undefined
  input: Record<string, unknown>
  metadata: Record<string, unknown>
  /** A text of the model or of a tool, on one line, secrets hidden. */
  line: (text: string | undefined, length?: number) => string
  path: (file: string | undefined) => string
}

const patchVerbs = new Map([
  ['add', 'create '],
  ['delete', 'delete '],
  ['move', 'move '],
])
const outputLines = { head: 20, tail: 20 }
const longEnoughToTell = 10_000

/** A tool call that has ended, as lines ending in a newline; the first begins where the time stamp stops. */
export function renderTool(part: Part, options: ToolOptions): string {
  const state = recordAt(part, 'state') ?? {}
  const call: Call = {
    tool: textAt(part, 'tool') ?? 'tool',
    title: textAt(state, 'title'),
    input: recordAt(state, 'input') ?? {},
    metadata: recordAt(state, 'metadata') ?? {},
    line: (text, length = 160) => plainLine(options.mask(text ?? ''), length),
    path: (file) => plainLine(options.mask(relativeTo(options.directory, file ?? '')), 200),
  }
  const error = textAt(state, 'error')
  const failure =
    error === undefined ? '' : `${indent(`failed: ${excerpt(options.mask(error), { head: 6, tail: 2 })}`)}\n`
  if (call.tool === 'bash' || call.tool === 'shell') return renderCommand(call, state, options) + failure
  return `${sentence(call)}\n${failure}`
}

function renderCommand({ input, metadata }: Call, state: Record<string, unknown>, { mask }: ToolOptions): string {
  const command = excerpt(mask(textAt(input, 'command') ?? '').trim(), { head: 12, tail: 3 })
  const shown = `$ ${command.replaceAll('\n', '\n    ')}\n`
  const output = excerpt(mask(textAt(state, 'output') ?? textAt(metadata, 'output') ?? ''), outputLines)
  return `${shown}${output.trim() === '' ? '' : `${indent(output)}\n`}${ending(metadata, state)}`
}

/** Exit code and running time, when they are worth a line. */
function ending(metadata: Record<string, unknown>, state: Record<string, unknown>): string {
  const time = recordAt(state, 'time')
  const took = (numberAt(time, 'end') ?? 0) - (numberAt(time, 'start') ?? 0)
  const exit = numberAt(metadata, 'exit')
  const facts = [
    ...(exit === undefined || exit === 0 ? [] : [`exit code ${exit}`]),
    ...(metadata['exit'] === null ? ['ended without an exit code'] : []),
    ...(took >= longEnoughToTell ? [`took ${duration(took)}`] : []),
  ]
  return facts.length === 0 ? '' : `  (${facts.join(', ')})\n`
}

function sentence(call: Call): string {
  const { tool, input, metadata, line, path: shown } = call
  const within = textAt(input, 'path')
  const place = within === undefined || within === '' ? '' : ` in ${shown(within)}`
  switch (tool) {
    case 'edit':
    case 'multiedit':
      return `✎ edit ${shown(textAt(input, 'filePath'))}${changes(recordAt(metadata, 'filediff'))}`
    case 'write':
      return `✎ ${metadata['exists'] === false ? 'create' : 'write'} ${shown(textAt(input, 'filePath'))}${size(textAt(input, 'content'))}`
    case 'apply_patch':
    case 'patch':
      return patched(call)
    case 'read':
      return `· read ${shown(textAt(input, 'filePath'))}${range(input)}`
    case 'list':
      return `· list ${shown(within) || '.'}`
    case 'grep':
      return `· grep ${line(textAt(input, 'pattern'))}${place}${found(numberAt(metadata, 'matches'))}`
    case 'glob':
      return `· glob ${line(textAt(input, 'pattern'))}${place}${found(numberAt(metadata, 'count'))}`
    case 'webfetch':
      return `· fetch ${line(textAt(input, 'url'), 300)}`
    case 'websearch':
    case 'codesearch':
      return `· search ${line(textAt(input, 'query'))}`
    case 'task':
      return `▷ sub-agent ${line(textAt(input, 'subagent_type'), 40)}: ${line(textAt(input, 'description'))}`
    case 'todowrite':
      return `☐ ${todos(listAt(input, 'todos'), line)}`
    case 'question':
      return `? ${line(textAt(listAt(input, 'questions')[0], 'question'))}`
    case 'skill':
      return `· skill ${line(textAt(input, 'name'))}`
    default: {
      const title = line(call.title)
      return `· ${line(tool, 60)}${title === '' ? '' : ` ${title}`}`
    }
  }
}

function patched({ title, metadata, path: shown, line }: Call): string {
  const files = listAt(metadata, 'files')
  if (files.length === 0) return `✎ patch ${line(title?.split('\n')[0])}`.trimEnd()
  const names = files.slice(0, 10).map((file) => {
    const name = shown(textAt(file, 'relativePath') ?? textAt(file, 'filePath'))
    const verb = patchVerbs.get(textAt(file, 'type') ?? '') ?? ''
    return `${verb}${name}${changes(file)}`
  })
  const more = files.length > names.length ? ` and ${files.length - names.length} more` : ''
  return `✎ patch ${names.join(', ')}${more}`
}

function changes(counts: unknown): string {
  const added = numberAt(counts, 'additions')
  const removed = numberAt(counts, 'deletions')
  return added === undefined && removed === undefined ? '' : ` (+${added ?? 0} -${removed ?? 0})`
}

function size(content: string | undefined): string {
  if (content === undefined || content === '') return ''
  const lines = content.replace(/\n$/, '').split('\n').length
  return ` (${lines} ${lines === 1 ? 'line' : 'lines'})`
}

function range(input: Record<string, unknown>): string {
  const offset = numberAt(input, 'offset')
  const limit = numberAt(input, 'limit')
  if (offset === undefined && limit === undefined) return ''
  return limit === undefined ? ` from line ${offset}` : ` (${limit} lines from ${offset ?? 1})`
}

function found(count: number | undefined): string {
  return count === undefined ? '' : ` (${count} found)`
}

function todos(list: unknown[], line: Call['line']): string {
  const done = list.filter((todo) => textAt(todo, 'status') === 'completed').length
  const current = list.find((todo) => textAt(todo, 'status') === 'in_progress')
  const next = current === undefined ? '' : `: ${line(textAt(current, 'content'), 100)}`
  return `${done} of ${list.length} done${next}`
}

function relativeTo(directory: string | undefined, file: string): string {
  if (directory === undefined || !path.isAbsolute(file)) return file
  const relative = path.relative(directory, file)
  const inside = relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative)
  return inside ? relative || '.' : file
}
