import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { awaitedLater } from '../../src/core/awaited-later.ts'

const source = fileURLToPath(new URL('../../src', import.meta.url))

/** The promises of a source text that are kept in a variable and awaited in a later statement. */
function keptPromises(text: string): string[] {
  return [...text.matchAll(/^ *(?:const|let) (\w+)(?:: [^=]+)? = (?!await\b|Promise\.resolve\b)(.*\(.*)$/gm)].flatMap(
    (found) => {
      const [line, name] = found
      const rest = text.slice(found.index + line.length)
      const isAwaited = new RegExp(`await ${name}\\b(?!\\s*\\??[.(\\[])|\\b${name}\\.(?:then|catch|finally)\\(`).test(
        rest,
      )
      return isAwaited ? [line.trim()] : []
    },
  )
}

describe('work that is awaited later', () => {
  it('fails where it is awaited, and is never an unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    const work = awaitedLater(Promise.reject(new Error('no')))
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off('unhandledRejection', listen)
    await expect(work).rejects.toThrow('no')
    expect(unhandled).toEqual([])
  })

  it('is recognised in a source text', () => {
    expect(keptPromises('const a = f(1)\n  await g()\n  return await a\n')).toEqual(['const a = f(1)'])
    expect(keptPromises('const a = await f(1)\n  await g()\n  return a\n')).toEqual([])
  })

  it('is begun through awaitedLater everywhere', () => {
    const files = fs.readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    const kept = files
      .filter((name) => !name.startsWith('demo'))
      .flatMap((name) => keptPromises(fs.readFileSync(path.join(source, name), 'utf8')).map((line) => ({ name, line })))
    expect(kept.length).toBeGreaterThan(4)
    expect(kept.filter(({ line }) => !/= awaitedLater\(/.test(line))).toEqual([])
  })
})
