import { changeConfig } from '../../../config/config-edit.ts'
import { readConfig } from '../../../config/config-file.ts'
import { checkSetting, describeSettings, settingNames, type SettingView } from '../../../config/settings.ts'
import { fromCommandLine } from '../../../config/setting-values.ts'
import { KugetsuError } from '../../../core/errors.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { similarTo } from '../../../core/similar.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled, table, tilde } from '../../terminal/output.ts'
import { wrap } from '../../terminal/wrap.ts'

interface ConfigOptions {
  json?: boolean
}
type KeyOptions = ConfigOptions & { setting: string }

const longest = 500

/** `config list`. The exit code is 1 when a setting cannot be used. */
export function runConfigList(context: Context, options: ConfigOptions): void {
  const views = viewsIn(context)
  warnOfFile(context)
  if (views.some(({ problem }) => problem !== null)) context.setExitCode(1)
  if (options.json === true) return printJson(context, views)
  const header = ['NAME', 'VALUE', 'DEFAULT', 'FROM']
  const rows = views.map((view) => [view.name, shown(context, view), view.default || '-', origin(view)])
  if (!context.io.terminal) {
    const meanings = views.map(({ problem, meaning }) => plainLine(problem ?? meaning, longest))
    return context.io.out(
      table(
        [...header, 'MEANING'],
        rows.map((row, index) => [...row, meanings[index] ?? '']),
      ),
    )
  }
  const { columns } = context.io
  // A name is to be typed, so it stays whole as long as the terminal has room for it.
  const NAME = Math.max(...views.map(({ name }) => name.length))
  const fit = { columns, cutFirst: ['DEFAULT', 'VALUE'], leaveOut: ['DEFAULT', 'FROM'], atLeast: { NAME } }
  const [first, ...lines] = table(header, rows, fit).trimEnd().split('\n')
  context.io.out(`${first}\n`)
  for (const [index, line] of lines.entries()) {
    const view = views[index]
    if (view === undefined) continue
    const said = wrap(plainLine(view.problem ?? view.meaning, longest), Math.max(20, columns - 2), '  ')
    context.io.out(`${line}\n  ${styled(context, view.problem === null ? 'dim' : 'red', said)}\n`)
  }
}

/** Names the lines of the file that are ignored: one of them may have been meant to set what is printed. */
function warnOfFile(context: Context): void {
  for (const { line, text } of fileOf(context).warnings) context.warn(`${shownFile(context)}, line ${line}: ${text}`)
}

/** `config get <setting>`: the value alone. Throws KugetsuError `bad_setting` when it cannot be used. */
export function runConfigGet(context: Context, options: KeyOptions): void {
  const view = viewOf(context, options.setting)
  warnOfFile(context)
  if (view.problem !== null) {
    throw new KugetsuError(view.problem, { hint: 'kugetsu config set changes it in the file.', code: 'bad_setting' })
  }
  if (options.json === true) return printJson(context, view)
  context.io.out(`${view.value ?? ''}\n`)
}

/** `config set <setting> <value>`. Throws KugetsuError `bad_setting` for a value that the setting cannot have. */
export async function runConfigSet(context: Context, options: KeyOptions & { value: string }): Promise<void> {
  const { name } = viewOf(context, options.setting)
  const value = options.value.trim()
  if (value === '') {
    throw new KugetsuError(`the value of ${name} is empty`, {
      hint: `For the default: kugetsu config unset ${name}`,
      code: 'bad_setting',
    })
  }
  if (/[\p{Cc}\ufffd]/u.test(value)) {
    throw new KugetsuError(`the value of ${name} is not one line of text`, { code: 'bad_setting' })
  }
  checkSetting({ name, text: value, origin: fromCommandLine }, context.userHome)
  await changeConfig(context, name, value)
  report(context, options, name, `Set ${name} to ${value} in ${shownFile(context)}`)
}

/** `config unset <setting>`: also of a variable without a setting, if the file sets it. */
export async function runConfigUnset(context: Context, options: KeyOptions): Promise<void> {
  const isInFile = fileOf(context).values.has(options.setting)
  const name = isInFile ? options.setting : viewOf(context, options.setting).name
  const isRemoved = await changeConfig(context, name, undefined)
  const file = shownFile(context)
  report(context, options, name, isRemoved ? `Removed ${name} from ${file}` : `${name} is not set in ${file}`)
}

/** Says what was done and what holds now. */
function report(context: Context, options: ConfigOptions, name: string, done: string): void {
  const view = viewsIn(context).find((each) => each.name === name)
  if (options.json === true) return printJson(context, view ?? { name, value: null })
  context.io.out(`${done}\n`)
  if (view?.source === 'environment') {
    context.warn(`${name}=${view.value ?? ''} in the environment wins over the file; to use the file: unset ${name}`)
  } else if (view?.source === 'default') {
    context.io.out(`It is ${view.value === '' ? 'empty' : view.value} now, the default\n`)
  }
}

function viewsIn(context: Context): SettingView[] {
  return describeSettings({ ...context, configFile: context.paths.config })
}

function fileOf({ paths, env, userHome }: Context): ReturnType<typeof readConfig> {
  return readConfig(paths.config, { ...env, HOME: userHome })
}

/** Throws KugetsuError `unknown_setting`. */
function viewOf(context: Context, text: string): SettingView {
  const wanted = text.toUpperCase()
  const found = viewsIn(context).find(({ name }) => name === wanted)
  if (found !== undefined) return found
  const meant = similarTo(wanted, settingNames)
  const hint =
    wanted === 'GIT_SERVERS'
      ? 'Git servers have a command of their own: kugetsu server'
      : meant === undefined
        ? '"kugetsu config list" shows all settings.'
        : `Did you mean ${meant}?`
  throw new KugetsuError(`there is no setting ${JSON.stringify(plainLine(text, 60))}`, {
    hint,
    code: 'unknown_setting',
  })
}

function shown(context: Context, { value }: SettingView): string {
  return value === null ? '(invalid)' : plainLine(tilde(context, value), longest) || '-'
}

function origin({ source, line }: SettingView): string {
  return source === 'config' ? `config, line ${line ?? '?'}` : source
}

function shownFile(context: Context): string {
  return tilde(context, context.paths.config)
}
