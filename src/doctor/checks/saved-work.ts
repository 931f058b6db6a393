import { counted } from '../../core/wording.ts'
import { listSaved } from '../../sessions/cleanup/recover.ts'
import { recoveryDays } from '../../worktrees/mirror/recovery-refs.ts'
import { pass, warn, type Check } from '../check.ts'

/** Saved work is the last copy and is never removed automatically, so a person has to be told about old saved work. */
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
