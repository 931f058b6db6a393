/**
 * Operations that are in progress in a worktree, and the files in which git keeps them. The files are only in its git
 * directory.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { type ByteName, charactersOf, displayName, nameIn } from '../../platform/byte-names.ts'
import { filesBelow, readCharacters } from './walk.ts'

/**
 * The first one that exists decides. A cherry-pick of several commits leaves its list when the one at which it stopped was
 * committed.
 */
const operations = {
  MERGE_HEAD: 'a merge',
  'rebase-merge': 'a rebase',
  'rebase-apply/applying': 'a git am',
  'rebase-apply': 'a rebase',
  CHERRY_PICK_HEAD: 'a cherry-pick',
  REVERT_HEAD: 'a revert',
  'sequencer/todo': 'a cherry-pick or revert',
  BISECT_LOG: 'a bisect',
}

/** The operation in progress in a worktree, by its git directory. */
export function operationIn(gitDirectory: string): string | undefined {
  return Object.entries(operations).find(([file]) => fs.existsSync(path.join(gitDirectory, file)))?.[1]
}

const folders = ['rebase-apply', 'rebase-merge', 'sequencer', 'NOTES_MERGE_WORKTREE']
const single =
  /^(ADD_EDIT\.patch|addp-hunk-edit\.diff|(BISECT|MERGE|NOTES|SQUASH)_\w+|(CHERRY_PICK|REBASE|REVERT)_HEAD)$/
const message = /^\w+_EDITMSG$/

/**
 * The files of an operation, with messages and patches that somebody wrote and that are nowhere else: patches of a `git am`
 * that are not applied yet, the list of a rebase, the message of a merge, the message of a commit that was not made.
 */
export function operationFiles(gitDirectory: string): ByteName[] {
  const names = fs.existsSync(gitDirectory) ? fs.readdirSync(gitDirectory, { withFileTypes: true }) : []
  const files = names.filter((each) => each.isFile()).map(({ name }) => name)
  const written = files.filter((name) => message.test(name) && !isCommitted(gitDirectory, name))
  return [
    ...[...files.filter((name) => single.test(name)), ...written].map(nameIn),
    ...folders.flatMap((folder) => filesBelow(gitDirectory, folder)),
  ]
}

/** Whether the reflog has a commit with the subject of the message in the file, or the file has only comments. */
function isCommitted(gitDirectory: string, name: string): boolean {
  const lines = (readCharacters(path.join(gitDirectory, name)) ?? '').split('\n')
  const subject = lines.find((line) => line.trim() !== '' && !line.startsWith('#'))?.trim()
  if (subject === undefined) return true
  const log = readCharacters(path.join(gitDirectory, 'logs', 'HEAD')) ?? ''
  return log.split('\n').some((line) => line.endsWith(`: ${subject}`))
}

/** The files of an operation that may name commits. Patches and messages are left out: they may contain anything. */
export function listsOfOperation(gitDirectory: string): string[] {
  return operationFiles(gitDirectory)
    .filter((name) => /^(rebase-apply|rebase-merge|sequencer)\//.test(charactersOf(name)))
    .map(displayName)
    .filter((name) => !/\/(\d{4,}|patch|msg.*|message.*|final-commit)$/.test(name))
}
