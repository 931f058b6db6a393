import type { Home } from '../config/home.ts'
import { takeOverOldQueue } from '../queue/old-queue.ts'
import type { Queue } from '../queue/queue.ts'

/** The queue, with the tasks that a first version of the bash tool may have left in queue.json. */
export async function openTasks(home: Home): Promise<Queue> {
  await takeOverOldQueue(home)
  return home.queue()
}
