import type * as z from 'zod/mini'
import { Unclear, type Api } from './forge.ts'

const mostPages = 20

/** The request for a list. */
export interface ListRequest {
  path: string
  query: Record<string, string | number>
  /** The parameter for the number of items a page, and that number. */
  size: readonly [name: string, items: number]
}

/** The pages of a list, one after the other. Throws Unclear after 20 of them, and when there is no such list. */
export async function* pagesOf<T>(api: Api, schema: z.ZodMiniType<T>, request: ListRequest): AsyncGenerator<T> {
  const { path, query, size } = request
  for (let page = 1; page <= mostPages; page++) {
    const answer = await api.get(path, schema, { ...query, [size[0]]: size[1], page })
    if (answer === undefined) throw new Unclear('the repository was not found there, or the token cannot see it')
    yield answer.data
    if (!answer.more) return
  }
  throw new Unclear(`the list of pull requests has more than ${mostPages * size[1]}`)
}
