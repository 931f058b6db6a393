import { exitCodes } from '../../../core/errors.ts'
import { plainLine } from '../../../core/plain-text.ts'
import { counted } from '../../../core/wording.ts'
import { diagnose, isMendable, repair, troubles, type Finding } from '../../../doctor/diagnose.ts'
import { fixSessionPermissions } from '../../../doctor/session-permissions.ts'
import type { Context } from '../../terminal/context.ts'
import { printJson, styled } from '../../terminal/output.ts'
import { wrap } from '../../terminal/wrap.ts'

export interface DoctorOptions {
  fix?: boolean
  fixPermissions?: boolean
  all?: boolean
  json?: boolean
}

const longestDetail = 2000
const colours = { pass: 'green', warn: 'yellow', fail: 'red' } as const

/**
 * Reports every check; on a terminal, without `all`, those that did not pass, each cause once. The exit code is 1 when something
 * fails, after the repairs if those were asked for.
 */
export async function runDoctor(context: Context, options: DoctorOptions): Promise<void> {
  if (options.fixPermissions === true && options.fix !== true) return runFixPermissions(context, options)
  let findings = await diagnose(context)
  const mended = options.fix === true ? await repair(context, findings) : undefined
  const permissions =
    options.fixPermissions === true && options.fix === true ? fixSessionPermissions(context) : undefined
  if (mended !== undefined) findings = await diagnose(context)
  const ok = findings.every(({ status }) => status !== 'fail')
  if (!ok) context.setExitCode(exitCodes.failed)
  if (options.json === true) {
    return printJson(context, {
      ok,
      checks: findings,
      ...(mended === undefined ? {} : { fixed: mended.done, not_fixed: mended.failed }),
      ...(permissions === undefined ? {} : { permissions }),
    })
  }
  const { io } = context
  const tell = (word: string, text: string) => io.out(`${word}${wrap(shown(text), room(context, 7), ' '.repeat(7))}\n`)
  for (const text of mended?.done ?? []) tell(`${styled(context, 'cyan', 'fixed')}  `, text)
  for (const text of mended?.failed ?? []) tell(`${styled(context, 'red', 'not')}    `, text)
  if (permissions !== undefined) tell(`${styled(context, 'cyan', 'fixed')}  `, 'the permission rules of the sessions')
  if (mended !== undefined && mended.done.length + mended.failed.length > 0) io.out('\n')
  const isShort = io.terminal && options.all !== true
  const shownOnes = isShort ? troubles(findings) : findings
  const width = Math.max(...shownOnes.map(({ name }) => name.length)) + 2
  for (const finding of shownOnes) printFinding(context, finding, width)
  const end = isShort ? shortSummary(findings, options.fix === true) : `\n${summary(findings, options.fix === true)}`
  io.out(`${end}\n`)
}

function shortSummary(findings: Finding[], fixed: boolean): string {
  const passed = findings.filter(({ status }) => status === 'pass').length
  const mend = !fixed && isMendable(findings) ? '\nTo fix what can be fixed: kugetsu doctor --fix' : ''
  return `${counted(passed, 'check')} ${passed === 1 ? 'passes' : 'pass'}${mend}`
}

/** Stores the permission rules of agents with their sessions again. The output has the words of the bash tool. */
function runFixPermissions(context: Context, options: DoctorOptions): void {
  if (options.json !== true) context.io.out('Fixing session permissions\n')
  const { fixed, unknown } = fixSessionPermissions(context)
  if (options.json === true) return printJson(context, { fixed, unknown })
  for (const id of unknown) context.warn(`opencode does not know the session ${id} any more`)
  context.io.out(`Session permissions fix complete (${fixed.length} ${fixed.length === 1 ? 'session' : 'sessions'})\n`)
}

function printFinding(context: Context, { name, status, detail, hint }: Finding, width: number): void {
  const before = ' '.repeat(6 + width)
  const text = wrap(shown(detail), room(context, before.length), before)
  context.io.out(`${styled(context, colours[status], status)}  ${name.padEnd(width)}${text}\n`)
  if (hint === null) return
  context.io.out(
    `${before}${styled(context, 'dim', '→')} ${wrap(shown(hint), room(context, before.length + 2), `${before}  `)}\n`,
  )
}

function summary(findings: Finding[], fixed: boolean): string {
  const number = (status: Finding['status']) => findings.filter((finding) => finding.status === status).length
  const bad = [
    number('fail') > 0 && `${number('fail')} failed`,
    number('warn') > 0 && `${number('warn')} to look at`,
  ].filter((each) => each !== false)
  if (bad.length === 0) return 'All is well'
  const mend = !fixed && isMendable(findings) ? '; to fix what can be fixed: kugetsu doctor --fix' : ''
  return `${findings.length} checks: ${bad.join(', ')}${mend}`
}

function shown(text: string): string {
  return plainLine(text, longestDetail)
}

function room(context: Context, taken: number): number {
  return Math.max(30, context.io.columns - taken)
}
