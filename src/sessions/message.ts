import { KugetsuError } from '../core/errors.ts'

const longestMessage = 256 * 1024

/** Throws KugetsuError `bad_message` for one that is too long for an agent. */
export function checkMessage(message: string): void {
  if (Buffer.byteLength(message) > longestMessage) {
    throw new KugetsuError(
      `the message has ${Math.ceil(Buffer.byteLength(message) / 1024)} KiB, more than ${longestMessage / 1024}`,
      {
        hint: 'Put long material into the issue or a file of the repository, and tell the agent where it is.',
        code: 'bad_message',
      },
    )
  }
}
