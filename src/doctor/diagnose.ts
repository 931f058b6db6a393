/** All checks at once, and the repairs one after the other. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Home } from '../config/home.ts'
import { awaitedLater } from '../core/awaited-later.ts'
import { codeOf, KugetsuError, messageOf } from '../core/errors.ts'
import { byItself, fail, warn, type Check, type Found } from './check.ts'
import { gitFiles } from './checks/git-files.ts'
import { fileChecks } from './checks/files.ts'
import { gitServers } from './checks/git-servers.ts'
import { homeChecks } from './checks/home.ts'
import { mcpServers } from './checks/mcp-servers.ts'
import { logins, model, providers } from './checks/model.ts'
import { processChecks } from './checks/processes.ts'
import { programs } from './checks/programs.ts'
import { savedWork } from './checks/saved-work.ts'
import { sessionChecks } from './checks/sessions.ts'
import { slotChecks } from './checks/slots.ts'
import { toolOutput } from './checks/tool-output.ts'
import { subjectOf, type Subject } from './subject.ts'

/** In the order in which they are shown and repaired. Sessions come late, because their repair may start a server. */
export const allChecks: readonly Check[] = [
  ...programs,
  homeChecks.permissions,
  homeChecks.config,
  homeChecks.disk,
  homeChecks.memory,
  fileChecks.files,
  fileChecks.temporary,
  ...processChecks,
  model,
  providers,
  logins,
  mcpServers,
  ...slotChecks,
  ...sessionChecks,
  gitFiles,
  savedWork,
  toolOutput,
  gitServers,
]

/** More than the requests and programs of any check may take. */
const longestMs = 40_000

/** The check that says the cause of an error with this code. */
const causes: Readonly<Record<string, string>> = {
  git_missing: 'git',
  opencode_request: 'server',
  no_opencode: 'opencode',
}

/** As `doctor --json` shows it; scripts rely on these names. */
export interface Finding {
  name: string
  status: Found['status']
  detail: string
  hint: string | null
  follows?: string
}

/** Looks at a home without changing anything. A check that breaks or hangs is a finding of its own. */
export async function diagnose(home: Home, checks = allChecks, limitMs = longestMs): Promise<Finding[]> {
  const subject = subjectOf(home)
  const findings = await Promise.all(
    checks.map(async (check) => ({ name: check.name, hint: null, ...(await limited(check, subject, limitMs)) })),
  )
  home.signal.throwIfAborted()
  return findings
}

/** Repairs the findings as far as is safe. Returns what was repaired and what failed. */
export async function repair(
  home: Home,
  findings: readonly Finding[],
  checks = allChecks,
): Promise<{ done: string[]; failed: string[] }> {
  const done: string[] = []
  const failed: string[] = []
  for (const { name, fix } of checks) {
    if (fix === undefined || findings.find((finding) => finding.name === name)?.status === 'pass') continue
    try {
      done.push(...(await fix(home)))
    } catch (error) {
      home.signal.throwIfAborted()
      failed.push(`${name}: ${messageOf(error)}`)
    }
  }
  return { done, failed }
}

async function limited(check: Check, subject: Subject, limitMs: number): Promise<Found> {
  const over = new AbortController()
  const late = awaitedLater(
    sleep(limitMs, undefined, { signal: over.signal }).then(() =>
      fail(
        `no result within ${limitMs / 1000} s`,
        'Try again. If it happens again, a program or a disk that it asks hangs.',
      ),
    ),
  )
  try {
    return await Promise.race([look(check, subject), late])
  } finally {
    over.abort()
  }
}

async function look(check: Check, subject: Subject): Promise<Found> {
  try {
    return await check.look(subject)
  } catch (error) {
    // The check `config` says which setting, so it is said only once.
    if (check.name !== 'config' && codeOf(error) === 'bad_setting')
      return { ...warn('not checked: a setting is invalid (config)', 'Correct it first.'), follows: 'config' }
    const follows = causes[codeOf(error) ?? '']
    if (error instanceof KugetsuError)
      return {
        ...fail(messageOf(error), error.hint ?? 'Check what is at that path and who owns it.'),
        ...(follows !== undefined && follows !== check.name && { follows }),
      }
    return fail(`this check failed: ${messageOf(error)}`, 'That is a defect of kugetsu: report it.')
  }
}

/**
 * What a person has to know: each finding that did not pass, without those that follow from another one, and equal ones as
 * one, under all their names.
 */
export function troubles(findings: readonly Finding[]): Finding[] {
  const bad = findings.filter(({ status }) => status !== 'pass')
  const own = bad.filter(({ follows }) => follows === undefined || !bad.some(({ name }) => name === follows))
  const textOf = ({ status, detail, hint }: Finding) => JSON.stringify([status, detail, hint])
  const alike = (finding: Finding) => own.filter((each) => textOf(each) === textOf(finding))
  return own
    .filter((finding) => alike(finding)[0] === finding)
    .map((finding) => ({
      ...finding,
      name: alike(finding)
        .map(({ name }) => name)
        .join(', '),
    }))
}

/** Whether `--fix` can repair one of the findings. */
export function isMendable(findings: readonly Finding[]): boolean {
  return findings.some(({ hint }) => hint?.startsWith(byItself) === true)
}
