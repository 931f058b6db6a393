/** The documents of the project as tests read them. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The text of a document, by its path from the root of the project. */
export function readDocument(name: string): string {
  return fs.readFileSync(path.join(root, name), 'utf8')
}

/** The README and every document, by their paths from the root. */
export function documentNames(): string[] {
  const inDocs = fs.readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md'))
  const atRoot = fs.readdirSync(root).filter((name) => name.endsWith('.md'))
  return [...atRoot, ...inDocs.sort().map((name) => `docs/${name}`)]
}

/** The cells of a table's lines, by how its header begins. */
export function linesOfTable(document: string, header: string): string[][] {
  const at = document.indexOf(header)
  if (at === -1) throw new Error(`there is no table ${header}`)
  const lines = document.slice(at).split('\n').slice(2)
  const end = lines.findIndex((line) => !line.startsWith('|'))
  return lines.slice(0, end === -1 ? undefined : end).map((line) =>
    line
      .replaceAll(String.raw`\|`, '¦')
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** Every TypeScript file under a directory of the project, absolute. */
export function sourceFiles(directory: string): string[] {
  return fs
    .readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(root, directory, name))
}
