import { badMessage } from '../sessions/starting/message.ts'
import type { Context } from './terminal/context.ts'

/**
 * The message that a command was given: the argument, or for `-` all of standard input. Throws KugetsuError `bad_message`
 * when it is no UTF-8 text, because an agent would get something else.
 */
export async function messageFrom(context: Context, argument: string): Promise<string> {
  const { io } = context
  if (argument !== '-') {
    if (!io.isExact(argument)) throw notText('Give it on standard input: "kugetsu … - < message.md", in UTF-8.')
    return argument
  }
  if (io.interactive) io.err('The message, then Ctrl-D on a line of its own:\n')
  const bytes = await io.readInput()
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw notText('Convert it to UTF-8, for example with iconv, or put the file where the agent can read it.')
  }
}

function notText(hint: string) {
  return badMessage('the message is not text: it has bytes that are not UTF-8', hint)
}
