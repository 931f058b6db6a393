import { expect, it } from 'vitest'
import { describeMade, isNothing } from '../../../src/worktrees/at-risk/made-so-far.ts'

it.each([
  [0, 0, 0, 'nothing changed'],
  [0, 0, 1, 'no commits, 1 file not committed'],
  [1, 1, 0, '1 commit, not pushed'],
  [2, 0, 0, '2 commits, pushed'],
  [3, 1, 2, '3 commits, 1 not pushed, 2 files not committed'],
  [0, 2, 0, 'no commits, 2 not pushed'],
  [undefined, undefined, undefined, 'commits unknown'],
  [undefined, 0, 0, 'commits unknown, pushed'],
  [2, undefined, 0, '2 commits'],
])('%s commits, %s not pushed, %s files not committed: %s', (commits, unpushed, uncommitted, words) => {
  const made = { commits, unpushed, uncommitted }
  expect(describeMade(made)).toBe(words)
  expect(isNothing(made)).toBe(words === 'nothing changed')
})
