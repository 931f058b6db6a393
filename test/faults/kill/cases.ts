/** Which kills to try: at every step of every scene, by every way to die; of all that, as much as there is time for. */
import { createRandom } from '../../helpers/random.ts'
import { pointsOf } from './points.ts'
import type { Scene } from './scenes.ts'
import type { Moment, Trap, Victim } from './world.ts'

export interface Case {
  scene: Scene
  trap: Trap
}

/** What can be killed when, by what kind of step it is. */
function ways(step: string): [Moment, Victim[]][] {
  if (/^run (opencode|the daemon)/.test(step)) return [...asOne, ['during', ['child']], ['during', ['self', 'child']]]
  if (step.startsWith('run '))
    return [...asOne, ['during', ['self']], ['during', ['child']], ['during', ['self', 'child']]]
  if (step.startsWith('clear ')) return [...asOne, ['during', ['self']]]
  if (!/^[A-Z]+ \//.test(step)) return asOne
  const moments: Moment[] = ['before', 'during', 'after']
  return moments.flatMap((when): [Moment, Victim[]][] => [
    [when, ['self']],
    [when, ['server']],
    [when, ['self', 'server']],
  ])
}

const asOne: [Moment, Victim[]][] = [
  ['before', ['self']],
  ['after', ['self']],
  ['before', ['server']],
  ['before', ['self', 'server']],
  ['before', ['daemon']],
  ['before', ['self', 'daemon', 'server']],
]

/** How often the same step of a scene is taken for another one. */
const mostOfAKind = 3
const longestDelayMs = 15

/**
 * The cases of what was `recorded`, `budget` of them, the same for the same seed: one at least at every point, then
 * every way to die in every kind of step, then what chance brings.
 */
export function chooseCases(recorded: Map<Scene, string[]>, budget: number, seed: number): Case[] {
  const random = createRandom(seed)
  const all = [...recorded].flatMap(([scene, steps]) => casesOf(scene, steps, random.below))
  const shuffled = all
    .map((each) => ({ each, at: random.below(2 ** 31) }))
    .sort((one, other) => one.at - other.at)
    .map(({ each }) => each)
  const chosen = new Set<Case>()
  const cover = (candidates: Case[], keyOf: (each: Case) => string | undefined) => {
    const had = new Set([...chosen].map(keyOf))
    for (const each of candidates) {
      const key = keyOf(each)
      if (key === undefined || had.has(key)) continue
      had.add(key)
      chosen.add(each)
    }
  }
  const firsts = shuffled.filter(({ trap }) => trap.nth === 1)
  cover(
    firsts.filter(({ trap }) => trap.kill.includes('self')),
    ({ trap }) => pointsOf(trap.step)[0],
  )
  cover(firsts, ({ trap }) => `${kindOf(trap.step)} ${trap.when} ${trap.kill.join()}`)
  cover(firsts, ({ scene }) => scene.name)
  for (const each of shuffled) if (chosen.size < budget) chosen.add(each)
  return [...chosen]
}

function kindOf(step: string): string {
  return step.startsWith('run git') ? 'git' : /^[A-Z]+ \//.test(step) ? 'request' : 'step'
}

function casesOf(scene: Scene, steps: string[], below: (limit: number) => number): Case[] {
  const counts = new Map<string, number>()
  return steps.flatMap((step) => {
    const nth = (counts.get(step) ?? 0) + 1
    counts.set(step, nth)
    if (nth > mostOfAKind) return []
    return ways(step)
      .filter(([, kill]) => scene.role === 'command' || !kill.includes('daemon'))
      .map(([when, kill]) => {
        const delay = when === 'before' ? {} : { delayMs: below(longestDelayMs) }
        return { scene, trap: { role: scene.role, step, nth, when, kill, ...delay } }
      })
  })
}
