import { KugetsuError } from '../../core/errors.ts'

const longestMessage = 256 * 1024

/** Throws KugetsuError `bad_message` for a message with a NUL character, or too long for an agent. */
export function checkMessage(message: string): void {
  if (message.includes('\0')) {
    throw badMessage(
      'the message is not text: it has a NUL character',
      'Put the file where the agent can read it, and say where.',
    )
  }
  if (Buffer.byteLength(message) > longestMessage) {
    throw badMessage(
      `the message has ${Math.ceil(Buffer.byteLength(message) / 1024)} KiB, more than ${longestMessage / 1024}`,
      'Put long material into the issue or a file of the repository, and tell the agent where it is.',
    )
  }
}

export function badMessage(message: string, hint: string): KugetsuError {
  return new KugetsuError(message, { hint, code: 'bad_message' })
}
