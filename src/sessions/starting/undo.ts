import { messageOf } from '../../core/errors.ts'

/** The steps of a call so far, to be taken back in reverse order when it fails. */
export function createUndo(warn: (text: string) => void) {
  const steps: { what: string; take: () => unknown }[] = []
  return {
    /** Remembers how to take back what was just made. */
    add(what: string, take: () => unknown): void {
      steps.push({ what, take })
    },
    /** Takes everything back; a step that fails causes a warning and does not stop the others. */
    async run(): Promise<void> {
      for (const { what, take } of steps.splice(0).reverse()) {
        try {
          await take()
        } catch (error) {
          warn(`could not undo ${what}: ${messageOf(error)}`)
        }
      }
    },
  }
}

export type Undo = ReturnType<typeof createUndo>
