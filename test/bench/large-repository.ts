/** A repository with a long history, the same every time it is made. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'

const files = 2_000
const filesPerDirectory = 30
const commits = 12_000
const changedPerCommit = 8
const linesPerFile = 40
const firstCommitAt = 1_700_000_000

/** Fills the bare repository at `directory`, which is made, by one `git fast-import`. */
export async function createLargeRepository(directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  fs.mkdirSync(directory, { recursive: true })
  await git(['init', '-q', '--bare', '-b', 'main'], directory, env)
  await git(['fast-import', '--quiet', '--done'], directory, env, history())
}

/** What git fast-import reads: a first commit with all files, then commits that change a few lines of some of them. */
function* history(): Generator<string> {
  const random = generator(20_260_501)
  const contents = Array.from({ length: files }, () => Array.from({ length: linesPerFile }, () => codeLine(random)))
  for (let commit = 0; commit < commits; commit++) {
    const message = `Change number ${commit}`
    const at = firstCommitAt + commit * 3600
    let text = `commit refs/heads/main\ncommitter Somebody <somebody@example.com> ${at} +0000\ndata ${message.length}\n${message}\n`
    const changed =
      commit === 0 ? contents.keys() : Array.from({ length: changedPerCommit }, () => Math.floor(random() * files))
    for (const file of new Set(changed)) {
      const lines = contents[file] ?? []
      if (commit > 0) for (let line = 0; line < 5; line++) lines[Math.floor(random() * lines.length)] = codeLine(random)
      const content = `${lines.join('\n')}\n`
      text += `M 100644 inline ${pathOf(file)}\ndata ${content.length}\n${content}\n`
    }
    yield text
  }
  yield 'done\n'
}

function pathOf(file: number): string {
  return `src/part-${Math.floor(file / filesPerDirectory)}/file-${file}.ts`
}

function codeLine(random: () => number): string {
  const name = () => Math.floor(random() * 2 ** 32).toString(36)
  return `  const ${name()} = await ${name()}.${name()}(${name()}, '${name()}')`
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

async function git(args: string[], cwd: string, env: NodeJS.ProcessEnv, input: Iterable<string> = []): Promise<void> {
  const child = spawn('git', args, { cwd, env, stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = once(child, 'exit') as Promise<[number | null]>
  for (const text of input) if (!child.stdin.write(text)) await once(child.stdin, 'drain')
  child.stdin.end()
  const [code] = await ended
  if (code !== 0) throw new Error(`git ${args[0]} ended with ${code}`)
}
