import { forgeKinds } from '../../../config/forge-types.ts'
import {
  addServer,
  defaultInstance,
  findServer,
  getServer,
  type GitServer,
  listServers,
  removeServer,
  setDefaultServer,
} from '../../../config/git-servers.ts'
import { withoutCredentials } from '../../../config/remote-url.ts'
import { plainLine, plainText } from '../../../core/plain-text.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, table } from '../../terminal/output.ts'

export interface ServerOutput {
  json?: boolean | undefined
}

/** `server list`: a table, or the stored records as a JSON array. */
export function runServerList(context: Context, options: ServerOutput = {}): void {
  const servers = listServers(context).map(shown)
  if (options.json === true) return printJson(context, servers)
  const rows = servers.map(({ name, url, type, default: isDefault }) => [
    plainLine(name, 200),
    plainLine(url, 1000),
    type,
    isDefault ? '*' : '',
  ])
  print(context, table(['NAME', 'URL', 'TYPE', 'DEFAULT'], rows))
}

/** `server add <name> <url> [--type] [--api]`. */
export async function runServerAdd(
  context: Context,
  options: ServerOutput & { name: string; url: string; type?: string | undefined; api?: string | undefined },
): Promise<void> {
  const server = shown(await addServer(context, options))
  if (options.json === true) return printJson(context, server)
  // A script that reads a pipe finds the word of 0.1.0 there.
  const type = server.type === 'unknown' && context.io.terminal ? 'plain git: no pull requests' : server.type
  print(context, `Added git server ${server.name}: ${server.url} (${type})`)
  if (server.type === 'unknown') {
    const how = `kugetsu server add ${server.name} ${server.url} --type <forge>`
    context.io.err(`kugetsu could not guess the type of its forge. To set it: ${how} (${forgeKinds.join(', ')})\n`)
  }
}

/** `server remove <name>`. */
export async function runServerRemove(context: Context, options: ServerOutput & { name: string }): Promise<void> {
  const server = shown(await removeServer(context, options.name))
  if (options.json === true) return printJson(context, server)
  print(context, `Removed git server ${server.name}`)
  if (server.default) print(context, `The default git server is now ${defaultInstance(context)}`)
}

/** `server default [name]`: prints the default server, or makes another one the default. */
export async function runServerDefault(
  context: Context,
  options: ServerOutput & { name?: string | undefined } = {},
): Promise<void> {
  if (options.name !== undefined) await setDefaultServer(context, options.name)
  const name = defaultInstance(context)
  if (options.json === true) return printJson(context, { default: name })
  print(context, options.name === undefined ? name : `The default git server is now ${name}`)
}

/** `server get [name]`: prints the URL of a server, of the default one without a name. */
export function runServerGet(context: Context, options: ServerOutput & { name?: string | undefined } = {}): void {
  const server = shown(options.name === undefined ? defaultServer(context) : getServer(context, options.name))
  if (options.json === true) return printJson(context, server)
  print(context, server.url)
}

function defaultServer(context: Context): GitServer {
  const name = defaultInstance(context)
  return findServer(name, listServers(context)) ?? getServer(context, name)
}

/** A server as people see it: a URL in an old config file can hold a token. */
function shown(server: GitServer): GitServer {
  return { ...server, url: withoutCredentials(server.url) }
}

function print(context: Context, text: string): void {
  context.io.out(plainText(text.endsWith('\n') ? text : `${text}\n`))
}
