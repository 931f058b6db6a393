import { counted } from '../../core/wording.ts'
import { listSaved } from '../../sessions/cleanup/recover.ts'
import { recoveryDays } from '../../worktrees/mirror/recovery-refs.ts'
import { pass, warn, type Check } from '../check.ts'

/** The last copy of somebody's work: nothing removes it by itself, so somebody has to be told when there is old one. */
export const savedWork: Check = {
  name: 'saved work',
  look: async ({ home }) => {
    const saved = await listSaved(home)
    const old = saved.filter(({ expiresAt }) => expiresAt <= home.now())
    return old.length === 0
      ? pass(counted(saved.length, 'recovery point'))
      : warn(
          `${old.length} of ${counted(saved.length, 'recovery point')} kept for over ${recoveryDays} days`,
          'Get back what you need: "kugetsu recover" lists it. Then "kugetsu prune --force" removes the old ones.',
        )
  },
}
