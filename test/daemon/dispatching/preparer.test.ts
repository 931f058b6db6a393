import { expect, it } from 'vitest'
import { createPreparer } from '../../../src/daemon/dispatching/preparer.ts'
import { parseRef } from '../../../src/core/issue-ref.ts'
import type { Item } from '../../../src/queue/item.ts'
import { bareHome } from '../../helpers/bare-home.ts'
import { waitFor } from '../../helpers/wait-for.ts'

const item = (id: string) => ({ id, issue_ref: `forge.test/me/app#${id}` }) as Item
const requestOf = ({ issue_ref }: Item) => ({ ref: parseRef(issue_ref ?? '', { defaultHost: '' }), message: 'do it' })

function preparing(hold = Promise.resolve()) {
  const did: string[] = []
  const preparer = createPreparer(
    bareHome('/nowhere'),
    {
      prepare: async (_home, { ref }) => {
        did.push(`prepare ${ref.id}`)
        await hold
        if (ref.id === '13') throw new Error('no such repository')
        did.push(`prepared ${ref.id}`)
        return ref.id
      },
      discard: async (_home, id: string) => void did.push(`discard ${id}`),
    },
    requestOf,
  )
  const until = (last: string) => waitFor(last, () => did.includes(last))
  return { did, preparer, until }
}

it('prepares one after the other, each once, and what fails no second time', async () => {
  const { did, preparer, until } = preparing()
  preparer.next(['1', '13', '2'].map(item))
  await until('prepared 2')
  preparer.next(['13', '1', '2', '3'].map(item))
  await until('prepared 3')
  expect(did).toEqual(['prepare 1', 'prepared 1', 'prepare 13', 'prepare 2', 'prepared 2', 'prepare 3', 'prepared 3'])
})

it('takes back what is not next any more, never what has begun, and all when it is closed', async () => {
  const { did, preparer, until } = preparing()
  preparer.next(['1', '2', '3'].map(item))
  await until('prepared 3')
  preparer.begins(item('1'))
  preparer.next([item('3')])
  await until('discard 2')
  await preparer.close()
  expect(did.filter((each) => each.startsWith('discard'))).toEqual(['discard 2', 'discard 3'])
})

it('gives up what it is just preparing when that is not next any more', async () => {
  const given: string[] = []
  const preparer = createPreparer(
    bareHome('/nowhere'),
    {
      // Its remote never answers.
      prepare: ({ signal }, { ref }) =>
        new Promise<string>((resolve, reject) => {
          given.push(ref.id)
          if (ref.id === '2') resolve(ref.id)
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
      discard: async () => {},
    },
    requestOf,
  )
  preparer.next(['1', '2'].map(item))
  await waitFor('the first', () => given.includes('1'))
  preparer.next([item('2')])
  await waitFor('the second', () => given.includes('2'))
  expect(given).toEqual(['1', '2'])
  await preparer.close()
})

it('leaves to a start what it is just preparing for it, and prepares no more until told', async () => {
  let go = () => {}
  const { did, preparer, until } = preparing(new Promise((resolve) => (go = resolve)))
  preparer.next(['1', '2'].map(item))
  await until('prepare 1')
  preparer.begins(item('1'))
  go()
  await until('prepared 1')
  await new Promise((resolve) => setImmediate(resolve))
  expect(did).toEqual(['prepare 1', 'prepared 1'])
  preparer.next([item('2')])
  await until('prepared 2')
  await preparer.close()
  expect(did.slice(2)).toEqual(['prepare 2', 'prepared 2', 'discard 2'])
})
