import { counted } from '../../core/wording.ts'
import { driverFor } from '../../driver/choose.ts'
import { byItself, pass, warn, type Check } from '../check.ts'

/** From this size on a warning is useful: a single command was seen to leave 300 MB. */
const large = 2 * 1024 ** 3

/** The output of agents' commands, maybe with secrets, in a directory of opencode's. */
export const toolOutput: Check = {
  name: 'output of commands',
  look: ({ home }) => {
    const found = driverFor(home).lookAtOutputs(home)
    if (found === undefined) return pass('none kept by opencode')
    const detail = `${counted(found.files, 'file')}, ${Math.ceil(found.bytes / 1024 ** 2)} MB in ${found.directory}`
    if (found.open) return warn(`${detail}, which other users can read`, byItself)
    return found.bytes < large
      ? pass(detail)
      : warn(
          detail,
          'opencode removes them after a week, "kugetsu destroy" those of an issue; remove what you do not need.',
        )
  },
  fix: async (home) => {
    if (driverFor(home).lookAtOutputs(home)?.open !== true) return []
    driverFor(home).closeOutputs(home)
    return ['closed the output of commands to other users']
  },
}
