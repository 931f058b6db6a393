/** The errors for requests that the opencode server refuses, in words that say what to do next. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import * as z from 'zod/mini'
import { startOf } from '../../core/columns.ts'
import { KugetsuError } from '../../core/errors.ts'
import { noAnswer, RequestFailure } from '../../driver/request-failure.ts'
import { lazy } from '../../core/lazy.ts'
import { plainLine } from '../../core/plain-text.ts'
import { unreadableConfiguration } from '../project-files.ts'

const longestReason = 200

/**
 * The error for an answer with that status. opencode reads the configuration of `directory` before it does anything there.
 * So a file that it cannot read fails every request: `bad_repository_config` when the file is in the directory,
 * `bad_opencode_config` when it is the user's and so concerns all agents. `opencode_request` otherwise.
 */
export function refusal(what: string, status: number, body: string, directory: string | undefined): KugetsuError {
  const cause = new RequestFailure(status, body)
  const told = toldProblem(body)
  const seen = told === undefined && status >= 500 && directory ? unreadableConfiguration(directory) : undefined
  const message = told === undefined ? seen : `cannot read ${told.file}: ${told.reason}`
  if (message === undefined) return noAnswer(what, `status ${status} ${startOf(body, longestReason)}`, cause)
  const isOfRepository = told === undefined || isBelow(directory, told.file)
  return new KugetsuError(`opencode has trouble with the configuration: ${message}`, {
    hint: isOfRepository
      ? 'Mend that file in the repository and push it, then start the agent again.'
      : 'Mend that file: opencode reads it for every agent.',
    code: isOfRepository ? 'bad_repository_config' : 'bad_opencode_config',
    cause,
  })
}

/** As opencode 1.2 to 1.18 answer; opencode's `src/config/error.ts` has the list of errors. */
const configurationError = lazy(() =>
  z.looseObject({
    name: z.string().check(z.regex(/^Config/)),
    data: z.looseObject({
      path: z.string(),
      message: z.optional(z.string()),
      issues: z.optional(z.array(z.looseObject({ path: z.optional(z.array(z.unknown())), message: z.string() }))),
    }),
  }),
)

/** The file that opencode says it cannot read, and the reason, without the content of the file. */
function toldProblem(body: string): { file: string; reason: string } | undefined {
  try {
    const { name, data } = configurationError().parse(JSON.parse(body))
    const issues = data.issues?.map(({ path: at, message }) => `${at?.join('.') || 'all of it'}: ${message}`).join('; ')
    const reason = issues ?? data.message?.replace(/^[^]*--- Errors ---/, 'it is not JSON:').replace(/\n {3}[^]*$/, '')
    return { file: data.path, reason: plainLine(reason ?? name, longestReason) }
  } catch {
    return undefined
  }
}

function isBelow(directory: string | undefined, file: string): boolean {
  if (directory === undefined) return false
  const real = fs.existsSync(directory) ? fs.realpathSync(directory) : directory
  return [directory, real].some((each) => file.startsWith(each + path.sep))
}
