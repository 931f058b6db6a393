import * as path from 'node:path'
import { isVariableName, removeVariable, setVariable } from '../../../agents/env-files.ts'
import {
  changeEnvFile,
  envOwners,
  foreignEnvFiles,
  readEnvFile,
  type EnvOwner,
  type StoredEnv,
} from '../../../agents/env-store.ts'
import { KugetsuError } from '../../../core/errors.ts'
import { isSecretName, maskCredentials, masked, maskSecrets } from '../../../core/masking.ts'
import { plainLine } from '../../../core/plain-text.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled, table, tilde, type Fit } from '../../terminal/output.ts'

interface EnvOptions {
  agent?: string | undefined
  json?: boolean
}
type KeyOptions = EnvOptions & { key: string }

/** A longer value is more than the system takes: an agent could run no command with it. */
const longestValue = 120_000

/** `env list`: the files, and the names of their variables. */
export function runEnvList(context: Context, options: { json?: boolean }): void {
  const files = envOwners.map((owner) => ({ owner, stored: read(context, owner) }))
  const foreign = foreignEnvFiles(context)
  if (options.json === true) {
    const known = files.map(({ owner, stored: { file, exists, values } }) => {
      return { agent: owner as string | null, file, exists, variables: [...values.keys()] }
    })
    const others = foreign.map((name) => {
      return { agent: null, file: path.join(context.paths.env, name), exists: true, variables: [] as string[] }
    })
    return printJson(context, [...known, ...others])
  }
  const rows = files.map(({ owner, stored }) => [
    owner,
    path.basename(stored.file),
    stored.exists ? [...stored.values.keys()].join(' ') || '-' : '(no file)',
  ])
  const others = foreign.map((name) => ['(none)', plainLine(name, 60), ''])
  context.io.out(`${styled(context, 'bold', 'Environment files')} in ${tilde(context, context.paths.env)}\n\n`)
  context.io.out(table(['AGENT', 'FILE', 'VARIABLES'], [...rows, ...others], fit(context)))
  context.io.out('\nAn agent gets the variables of default.env; those of its own file win.\n')
}

/** `env show [agent]`: what an agent gets, each with its file; secrets masked. */
export function runEnvShow(context: Context, options: EnvOptions): void {
  const owner = ownerNamed(options.agent)
  const given = effective(context, owner)
  const secrets = given.flatMap(({ name, value }) => (isSecretName(name) ? [value] : []))
  const shown = given.map(({ name, value, from }) => {
    const secret = isSecretName(name)
    return { name, value: secret ? masked : maskCredentials(maskSecrets(value, secrets)), secret, file: `${from}.env` }
  })
  if (options.json === true) return printJson(context, shown)
  if (shown.length === 0) return context.io.out(`No variables for ${owner}\n`)
  const rows = shown.map(({ name, value, file }) => [name, plainLine(value, 500), file])
  context.io.out(table(['NAME', 'VALUE', 'FILE'], rows, fit(context)))
}

/** `env get <key> [agent]`: the value as an agent gets it, and a line end. */
export function runEnvGet(context: Context, options: KeyOptions): void {
  const owner = ownerNamed(options.agent)
  const found = effective(context, owner).find(({ name }) => name === options.key)
  if (found === undefined) throw missing(context, options.key, owner)
  if (options.json === true) {
    return printJson(context, { name: found.name, value: found.value, agent: owner, file: `${found.from}.env` })
  }
  context.io.out(`${found.value}\n`)
}

/** `env set <key> <value> [agent]`. No error repeats an argument: any of them may be the secret. */
export async function runEnvSet(context: Context, options: KeyOptions & { value: string }): Promise<void> {
  const owner = ownerNamed(options.agent, 'quietly')
  const { key: name } = options
  if (!isVariableName(name)) {
    throw new KugetsuError('that is not the name of a variable', {
      hint: 'Use letters, digits and underscores, and give name and value as two words: kugetsu env set NAME value',
      code: 'bad_name',
    })
  }
  const value = options.value === '-' ? await readValue(context, name) : options.value
  checkValue(name, value)
  if (options.value !== '-' && isSecretName(name)) {
    const how = `kugetsu env set ${name} - ${owner}`
    context.warn(`a secret on a command line can be seen by others and stays in the shell's history; better: ${how}`)
  }
  const file = await changeEnvFile(context, owner, (text) => setVariable(text, name, value))
  if (options.json === true) return printJson(context, { name, agent: owner, file })
  context.io.out(`Set ${name} in ${tilde(context, file)}\n`)
}

/** `env rm <key> [agent]`: removes it from that agent's own file. */
export async function runEnvRemove(context: Context, options: KeyOptions): Promise<void> {
  const owner = ownerNamed(options.agent)
  const file = await changeEnvFile(context, owner, (text, { values }) => {
    if (!values.has(options.key)) throw missing(context, options.key, owner)
    return removeVariable(text, options.key)
  })
  if (options.json === true) return printJson(context, { name: options.key, agent: owner, file })
  context.io.out(`Removed ${options.key} from ${tilde(context, file)}\n`)
}

/** On a terminal only: output to a pipe stays whole. */
function fit(context: Context): Fit | undefined {
  return context.io.terminal ? { columns: context.io.columns } : undefined
}

function ownerNamed(text: string | undefined, how?: 'quietly'): EnvOwner {
  const found = envOwners.find((owner) => owner === (text ?? 'pm-agent'))
  if (found !== undefined) return found
  const what = how === 'quietly' ? 'what follows the value' : JSON.stringify(plainLine(text ?? '', 60))
  throw new KugetsuError(`${what} is not an agent`, {
    hint: `The agents are ${envOwners.join(', ')}.${how === 'quietly' ? ' Put a value with blanks into quotes.' : ''}`,
    code: 'unknown_agent',
  })
}

interface Given {
  name: string
  value: string
  from: EnvOwner
}

/** What an agent gets, in the order of the files. */
function effective(context: Context, owner: EnvOwner): Given[] {
  const found = new Map<string, Given>()
  const files: EnvOwner[] = owner === 'default' ? ['default'] : ['default', owner]
  for (const from of files) {
    for (const [name, value] of read(context, from).values) found.set(name, { name, value, from })
  }
  return [...found.values()]
}

/** Reads an env file, and warns about anything odd in it. */
function read(context: Context, owner: EnvOwner): StoredEnv {
  const stored = readEnvFile(context, owner)
  const file = tilde(context, stored.file)
  if (stored.open) context.warn(`${file} can be read by others: chmod 600 ${file}`)
  for (const warning of stored.warnings) context.warn(`${file}, ${warning}`)
  return stored
}

function missing(context: Context, key: string, owner: EnvOwner): KugetsuError {
  const others = envOwners.filter((one) => one !== owner && readEnvFile(context, one).values.has(key))
  const hint =
    others[0] === undefined
      ? `"kugetsu env show ${owner}" lists the variables.`
      : `It is in the file of ${others.join(' and of ')}: name that as the agent.`
  return new KugetsuError(`no variable ${JSON.stringify(plainLine(key, 60))} for ${owner}`, {
    hint,
    code: 'unknown_variable',
  })
}

async function readValue(context: Context, name: string): Promise<string> {
  if (context.io.interactive) context.io.err(`The value of ${name}, then Ctrl-D on a line of its own:\n`)
  const text = (await context.io.readInput()).toString()
  if (text !== '') return text.replace(/\n$/, '')
  throw new KugetsuError('standard input is empty', {
    hint: `To set it to nothing: kugetsu env set ${name} ""`,
    code: 'bad_value',
  })
}

function checkValue(name: string, value: string): void {
  if (value.includes('\ufffd')) {
    throw new KugetsuError(`the value of ${name} is not UTF-8 text`, {
      hint: 'Encode it, for example with base64.',
      code: 'bad_value',
    })
  }
  if (Buffer.byteLength(value) > longestValue) {
    throw new KugetsuError(`the value of ${name} is too long for a variable`, {
      hint: 'Put it into a file, and the path of that into the variable.',
      code: 'bad_value',
    })
  }
}
