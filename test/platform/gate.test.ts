import { expect, it } from 'vitest'
import { createGate } from '../../src/platform/gate.ts'

it('lets so many go on at a time, each in its turn, whether they fail or not', async () => {
  const through = createGate(3)
  const began: number[] = []
  let [going, most] = [0, 0]
  const works = Array.from({ length: 20 }, (_, number) =>
    through(async () => {
      began.push(number)
      most = Math.max(most, ++going)
      await new Promise((resolve) => setImmediate(resolve))
      going--
      if (number % 4 === 0) throw new Error('failed')
      return number
    }),
  )
  const ended = await Promise.allSettled(works)
  expect(most).toBe(3)
  expect(began).toEqual(Array.from({ length: 20 }, (_, number) => number))
  expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(5)
  expect(await through(async () => 'again')).toBe('again')
})
