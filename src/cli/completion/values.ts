/**
 * What completion reads of the home. It runs at every key press, so it reads as little as possible. It skips what it
 * cannot understand; the other readers report it.
 */
import * as path from 'node:path'
import { parseEnv } from '../../agents/env-files.ts'
import { readConfig } from '../../config/config-file.ts'
import type { Home } from '../../config/home.ts'
import { settingNames } from '../../config/settings.ts'
import { plainLine } from '../../core/plain-text.ts'
import { listDirectory, readText } from '../../platform/files.ts'
import { branches } from './branches.ts'
import type { Candidate, Values } from './candidates.ts'
import { at, jsonOf } from '../../platform/soft-json.ts'
import { statuses } from '../../sessions/status/status.ts'
import { driverFor } from '../../driver/choose.ts'

/** How many tasks, the newest, to read for their descriptions. */
const mostItems = 200
const longestDescription = 60
/** The state of the tasks that a command is for, if not for all. */
const itemStates: Record<string, string> = { remove: 'pending', retry: 'error' }

/** The values of arguments by their names in the usage of their commands. */
export function valuesIn(home: Home): Values {
  return async (name, words, typed, given) => {
    const [command, subcommand = ''] = words
    const found: Candidate[] = []
    const isOfTask = /(^|\W)id$/.test(name)
    if (command === 'queue' && isOfTask) found.push(...(await tasks(home, itemStates[subcommand], 'with refs')))
    else if (name.includes('issue-ref')) {
      found.push(...(await issueRefs(home, typed)))
      if (isOfTask) found.push(...(await tasks(home, undefined)))
    }
    if (name === 'status') found.push(...candidatesOf([...statuses]))
    if (command === 'server' && name === 'name' && subcommand !== 'add') found.push(...servers(home))
    if (command === 'config' && name === 'setting') found.push(...candidatesOf([...settingNames]))
    if (command === 'env' && name === 'agent') found.push(...candidatesOf(agents(home)))
    if (command === 'env' && /^(key|name|variable)$/i.test(name)) found.push(...variables(home))
    if (name === 'model') found.push(...candidatesOf(driverFor(home).suggest(home, 'models')))
    if (name === 'base') found.push(...candidatesOf(branches(home, given[0] ?? '')))
    if (command !== 'env' && name === 'agent') found.push(...candidatesOf(driverFor(home).suggest(home, 'agents')))
    return found.filter(({ value }) => isPlain(value))
  }
}

function candidatesOf(values: string[]): Candidate[] {
  return values.map((value) => ({ value }))
}

/** All refs of sessions and waiting tasks, and shorter tails that only one ref has. */
async function issueRefs(home: Home, typed: string): Promise<Candidate[]> {
  const { items } = await home.queue().inspect({ newest: mostItems })
  const queued = items.flatMap(({ state, issue_ref: ref }) => (state === 'pending' && ref !== null ? [ref] : []))
  const refs = [...new Set([...Object.keys(at(jsonOf(home.paths.index), 'issues')), ...queued])].filter(isPlain)
  const tails =
    typed === ''
      ? []
      : refs.flatMap((ref) => [/[^/]+\/[^/]+$/, /[^/]+$/, /[^#]+$/].map((tail) => tail.exec(ref)?.[0] ?? ''))
  const unique = tails.filter((tail, index) => tails.indexOf(tail) === index && tails.lastIndexOf(tail) === index)
  return candidatesOf([...refs, ...unique])
}

async function tasks(home: Home, state: string | undefined, refs?: 'with refs'): Promise<Candidate[]> {
  const { items, damaged } = await home.queue().inspect({ newest: mostItems })
  const meant = items.filter((item) => state === undefined || item.state === state)
  const named = meant.map((item) => ({ value: item.id, description: `${item.state} ${textOf(item.issue_ref)}`.trim() }))
  const issues = refs === undefined ? [] : [...new Set(meant.flatMap(({ issue_ref: ref }) => ref ?? []))]
  const unread = state === undefined ? damaged.map(({ id }) => id) : []
  return [...named, ...candidatesOf([...unread, ...issues])]
}

function servers(home: Home): Candidate[] {
  const stored = jsonOf(home.paths.servers)['servers']
  const named = (Array.isArray(stored) ? stored : []).map((server: unknown) => ({
    value: textOf(at({ server }, 'server')['name']),
    description: undefined,
  }))
  const configured = candidatesOf([...readConfig(home.paths.config, home.env).servers.keys()])
  const all: Candidate[] = [...named, ...configured, { value: 'github.com' }]
  return all.filter(({ value }, index) => all.findIndex((each) => each.value === value) === index)
}

/** The agents with variables of their own, by their files. */
function agents(home: Home): string[] {
  const files = listDirectory(home.paths.env).flatMap((name) => /^([\w-]+)\.env$/.exec(name)?.[1] ?? [])
  return [...new Set(['default', 'dev', 'pm-agent', ...files])]
}

function variables(home: Home): Candidate[] {
  const names = agents(home).flatMap((agent) => [
    ...parseEnv(readText(path.join(home.paths.env, `${agent}.env`)) ?? '').values.keys(),
  ])
  return candidatesOf([...new Set(names)])
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? plainLine(value, longestDescription) : ''
}

/** Whether a shell takes the value as one word: a file may contain anything. */
function isPlain(value: string): boolean {
  return /^[A-Za-z0-9][\w./:#@+-]*$/.test(value)
}
