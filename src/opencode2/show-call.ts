/** opencode 2's calls of tools in transcripts: with its own names, and otherwise as those of opencode 1. */
import { listAt, numberAt, recordAt, textAt } from '../core/unknown-data.ts'
import { renderTool } from '../opencode/tools.ts'
import type { Content } from './api/schemas.ts'

const olderNames: Record<string, string> = { shell: 'bash', subagent: 'task' }
const olderTypes: Record<string, string> = { added: 'add', deleted: 'delete' }

/** A call of a tool that has ended, as lines ending in a newline. */
export function showCall(call: Content, options: Parameters<typeof renderTool>[1]): string {
  const state = recordAt(call, 'state') ?? {}
  const input = recordAt(state, 'input') ?? {}
  const metadata = recordAt(state, 'metadata') ?? {}
  const name = textAt(call, 'name') ?? 'tool'
  const output = printed(state)
  const time = recordAt(call, 'time')
  const files = listAt(metadata, 'files')
  const part = {
    id: '',
    messageID: '',
    sessionID: '',
    type: 'tool',
    tool: olderNames[name] ?? name,
    state: {
      title: textAt(input, 'code')?.trim().split('\n')[0],
      input: {
        ...input,
        filePath: textAt(input, 'path'),
        subagent_type: textAt(input, 'agent'),
        name: textAt(input, 'name') ?? textAt(input, 'id'),
      },
      output: status(metadata) === undefined ? output : withoutEnding(output),
      error: textAt(recordAt(state, 'error'), 'message'),
      metadata: {
        ...metadata,
        exists: !output.startsWith('Created '),
        filediff: files[0],
        files: files.map((file) => ({
          ...(file as object),
          relativePath: textAt(file, 'file'),
          type: olderTypes[textAt(file, 'status') ?? ''],
        })),
      },
      time: { start: numberAt(time, 'ran') ?? numberAt(time, 'created'), end: numberAt(time, 'completed') },
    },
  }
  return renderTool(part, options)
}

/** The result of a tool for the model. A command that printed nothing gives its result as JSON. */
function printed(state: Record<string, unknown>): string {
  const text = listAt(state, 'content')
    .map((each) => textAt(each, 'text') ?? '')
    .join('\n')
  return /^\{"exit":\d+,"truncated":false,"output":"","status":"completed"\}$/.test(text) ? '' : text
}

function status(metadata: Record<string, unknown>): string | undefined {
  return textAt(metadata, 'status')
}

/** A command's output without the line that opencode adds for the model: the exit code is shown anyway. */
function withoutEnding(output: string): string {
  return output.replace(/\n?Exited with code \d+\s*$/, '')
}
