/** The files of the items: reading them with care. A file that cannot be understood is set aside and named once. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { KugetsuError, messageOf } from '../core/errors.ts'
import { isNoText, listDirectory, readSmall, readText, setAside } from '../platform/files.ts'
import { isItemId, parseItem, type Item } from './item.ts'
import { placesOf, type QueueHome } from './places.ts'
import type { Damaged } from './queue.ts'

/** The longest message, with every character escaped, is a third of it. */
const longestFileBytes = 5_000_000

/** An item and the facts of its file; no facts when they were not wanted, or the file is no ordinary one. */
export interface ReadItem {
  item: Item
  stat: fs.Stats | undefined
}

export interface ItemFiles {
  /** All ids in order. */
  ids: () => string[]
  /** `unread`: the file cannot be read now, which is not the same as missing. */
  read: (id: string, options: { stat: boolean }) => ReadItem | undefined | 'unread'
  /** Reads one item. Throws KugetsuError `unreadable` for one that cannot be read now. */
  readOne: (id: string) => Item | undefined
  /** Reads all items, or as many of the newest, and changes nothing; see Queue.inspect(). */
  inspect: (newest: number | undefined) => { items: Item[]; damaged: Damaged[] }
}

export function itemFiles(home: QueueHome): ItemFiles {
  const places = placesOf(home)
  const told = new Set<string>()

  function read(id: string, options: { stat: boolean }): ReadItem | undefined | 'unread' {
    const found = readSmall(places.item(id), options)
    const item = found && parseItem(id, found.text)
    return item === undefined ? readWithCare(id) : { item, stat: found?.stat }
  }

  /** Reads anything but an ordinary item: missing, not understood, not readable. */
  function readWithCare(id: string): ReadItem | undefined | 'unread' {
    const file = places.item(id)
    try {
      const text = textIn(file)
      if (text === undefined) return undefined
      const item = parseItem(id, text)
      return item === undefined ? putAside(id) : { item, stat: undefined }
    } catch (error) {
      if (isNoText(error)) return putAside(id)
      tell(id, `${messageOf(error)}; its task waits until it can be read`)
      return 'unread'
    }
  }

  function putAside(id: string): undefined {
    const aside = setAside(places.item(id), home.now())
    const kept = aside === undefined ? 'and could not be moved' : `and was kept as ${path.basename(aside)}`
    tell(id, `${places.item(id)} is no task ${kept}; the others go on`)
  }

  function tell(id: string, text: string): void {
    if (!told.has(id)) home.warn(text)
    told.add(id)
  }

  function readOne(id: string): Item | undefined {
    const found = isItemId(id) ? read(id, { stat: false }) : undefined
    if (found !== 'unread') return found?.item
    throw new KugetsuError(`cannot read ${places.item(id)}`, { code: 'unreadable', hint: 'See who may read it.' })
  }

  function ids(): string[] {
    return listDirectory(places.items)
      .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
      .map((name) => name.slice(0, -'.json'.length))
  }

  function inspect(newest: number | undefined): { items: Item[]; damaged: Damaged[] } {
    const items: Item[] = []
    const damaged: Damaged[] = []
    for (const id of newest === undefined ? ids() : ids().filter(isItemId).slice(-newest)) {
      const file = places.item(id)
      try {
        const text = readText(file)
        if (text === undefined) continue
        const item = parseItem(id, text)
        if (item === undefined) damaged.push({ id, file })
        else items.push(item)
      } catch {
        damaged.push({ id, file })
      }
    }
    return { items, damaged }
  }

  return { ids, read, readOne, inspect }
}

/** The text of a file; empty for what cannot be an item, undefined when nothing is there. Throws as readText(). */
function textIn(file: string): string | undefined {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  return stat.isFile() && stat.size <= longestFileBytes ? readText(file) : ''
}
