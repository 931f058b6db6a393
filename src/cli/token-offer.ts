/** Offers a new user the token that a forge's own program or a variable has already, once for each server. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { agentVariables, setVariable } from '../agents/env-files.ts'
import { changeEnvFile } from '../agents/env-store.ts'
import { forgeFacts } from '../config/forge-types.ts'
import { findServer, listServers, type GitServer } from '../config/git-servers.ts'
import { isNews } from '../config/said-once.ts'
import { tokenVariables } from '../config/server-tokens.ts'
import { exitCodes, KugetsuError } from '../core/errors.ts'
import type { IssueRef } from '../core/issue-ref.ts'
import { isConfidential } from '../forges/api.ts'
import { apiOfServer } from '../forges/forge-kinds.ts'
import { hostOfUrl } from '../config/remote-url.ts'
import type { Context } from './terminal/context.ts'
import { styled, tilde } from './terminal/output.ts'

const ghLimitMs = 5_000

/**
 * When agents have no token for the server of an issue and the person at the terminal has one at hand: asks whether agents
 * get it, and stores it in env/dev.env. Asks once for each server; a no holds. Throws KugetsuError `interrupted` when there is no
 * answer.
 */
export async function offerToken(context: Context, ref: IssueRef): Promise<void> {
  const { io, paths } = context
  const servers = listServers(context)
  const server = findServer(ref.host, servers)
  const api = server && apiOfServer(server)
  if (server === undefined || api === undefined || !isConfidential(new URL(api))) return
  const asked = `token-${server.name.replaceAll(/[^\w.-]/g, '-')}`
  const names = tokenVariables(server, servers)
  const stored = agentVariables(paths.env, 'dev')
  if (names.length === 0 || names.some((name) => stored[name]) || fs.existsSync(path.join(paths.said, asked))) return
  const token = await tokenAtHand(context, server, names)
  if (token === undefined) return
  io.err(`Agents have no token for ${server.name}: they need one to push and to open pull requests.\n`)
  const answer = await io.ask(`Give them the one of ${token.from}? [y/N] `)
  if (answer === undefined) {
    const details = { hint: 'Nothing was started.', code: 'interrupted', exitCode: exitCodes.interrupted }
    throw new KugetsuError('not started', details)
  }
  isNews(paths, asked)
  if (!/^y(es)?$/i.test(answer.trim())) {
    return io.err(`Not asked again. To give them one: kugetsu env set ${variableFor(server, names)} - dev\n`)
  }
  const name = variableFor(server, names)
  const file = await changeEnvFile(context, 'dev', (text) => setVariable(text, name, token.value))
  io.err(`${styled(context, 'green', 'Stored')} as ${name} in ${tilde(context, file)}\n`)
}

/** The variable that agents also use for calls of the forge, if it is this server's. */
function variableFor({ type }: GitServer, names: readonly string[]): string {
  return names.find((name) => name === `${type.toUpperCase()}_TOKEN`) ?? names[0] ?? ''
}

interface AtHand {
  value: string
  /** Where it is from, for the question. */
  from: string
}

async function tokenAtHand(context: Context, server: GitServer, names: string[]): Promise<AtHand | undefined> {
  const host = hostOfUrl(server.url)?.hostname ?? server.name
  const programs = server.type === 'unknown' ? undefined : forgeFacts[server.type].programs
  const theirs = host === programs?.host ? programs.there : (programs?.elsewhere ?? [])
  for (const name of [...names.slice(0, 1), ...theirs]) {
    const value = context.env[name]?.trim() ?? ''
    if (isToken(value)) return { value, from: name }
  }
  if (server.type !== 'github') return undefined
  const { execa } = await import('execa')
  const { stdout } = await execa('gh', ['auth', 'token', '--hostname', host], {
    env: context.env,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: ghLimitMs,
    cancelSignal: context.signal,
  })
  context.signal.throwIfAborted()
  const value = (stdout ?? '').trim()
  return isToken(value) ? { value, from: '"gh auth token"' } : undefined
}

/** Whether a header and git's protocol for logins can hold it. */
function isToken(text: string): boolean {
  return /^[\x21-\x7e]{1,2000}$/.test(text)
}
