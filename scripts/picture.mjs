// npm run picture: draws docs/demo.svg from what the demo really prints in a terminal. Times, session ids and ports are
// those of that run. Whole passages are left out to keep it short, and the picture says so.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const columns = 88
/** Each from the line that begins with the first text up to the line that begins with the second, or to the end. */
const leftOut = [
  ['kugetsu demo', '1  One command'],
  ['   $ kugetsu wait shop#1 shop#2', '4  What came of it'],
  ['5  Clean up'],
]
const styleSequence = new RegExp(`${String.fromCodePoint(27)}\\[([\\d;]*)m`)

const shown = recordDemo()
const rows = withoutPassages(shown.map(styledRow))
writeFileSync(`${root}docs/demo.svg`, draw(rows))
console.log(`docs/demo.svg is drawn: ${rows.length} lines, from ${shown.length} of the demo`)

/** The lines that the demo prints in a terminal of that width, with their control sequences. */
function recordDemo() {
  const command = `stty cols ${columns} && '${process.execPath}' bin/kugetsu.js demo`
  const { NO_COLOR: _, ...env } = process.env
  const { error, status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    cwd: root,
    env: { ...env, TERM: 'xterm-256color', TMPDIR: '/tmp' },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  if (error !== undefined)
    throw new Error('a terminal is made by "script" of util-linux, which is not here', { cause: error })
  if (status !== 0) throw new Error(`the demo ended with exit code ${status}:\n${stdout}`)
  return stdout.trim().split(/\r?\n/)
}

/** A line as pieces of one style each: its text, the column it begins at, the names of its styles. */
function styledRow(line) {
  const styles = new Set()
  const pieces = []
  let column = 0
  for (const [index, part] of line.split(styleSequence).entries()) {
    if (index % 2 === 1) part.split(';').forEach((code) => applyStyle(styles, Number(code)))
    else if (part !== '') {
      if (/\p{Cc}/u.test(part)) throw new Error(`a control sequence that is no style: ${JSON.stringify(part)}`)
      pieces.push({ text: part, column, classes: [...styles].join(' ') })
      column += [...part].length
    }
  }
  return { text: pieces.map(({ text }) => text).join(''), pieces }
}

function applyStyle(styles, code) {
  const named = { 1: 'bold', 2: 'dim', 31: 'red', 32: 'green', 33: 'yellow', 36: 'cyan' }
  if (code === 0) styles.clear()
  else if (code === 22) ['bold', 'dim'].forEach((name) => styles.delete(name))
  else if (code === 39) ['red', 'green', 'yellow', 'cyan'].forEach((name) => styles.delete(name))
  else if (named[code] !== undefined) styles.add(named[code])
  else throw new Error(`an unknown style: ${code}`)
}

function withoutPassages(rows) {
  const kept = [...rows]
  for (const [first, next] of leftOut) {
    const from = kept.findIndex(({ text }) => text.startsWith(first))
    const isNext = ({ text }, index) => index > from && text.startsWith(next)
    const to = next === undefined ? kept.length : kept.findIndex(isNext)
    if (from === -1 || to === -1) throw new Error(`the demo has no passage from "${first}" to "${next}" any more`)
    const text = `…  ${to - from} lines left out`
    kept.splice(from, to - from, { text, pieces: [{ text, column: 0, classes: 'dim' }] }, styledRow(''))
  }
  return kept
}

function draw(rows) {
  const [character, height, margin, bar] = [8.4, 17, 18, 34]
  const width = Math.ceil(2 * margin + columns * character)
  const total = bar + rows.length * height + margin
  const lines = rows.flatMap(({ pieces }, row) => {
    // The length is given, so that columns stand under each other whatever font there is.
    const texts = pieces.flatMap(({ text, column, classes }) => {
      const inner = text.trim()
      if (inner === '') return []
      const x = round(margin + (column + text.indexOf(inner)) * character)
      const length = round([...inner].length * character)
      const style = classes === '' ? '' : ` class="${classes}"`
      return `<text x="${x}" y="${bar + row * height + 13}" textLength="${length}"${style}>${escaped(inner)}</text>`
    })
    return texts.length === 0 ? [] : [texts.join('')]
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" viewBox="0 0 ${width} ${total}" xml:space="preserve" role="img">
<title>kugetsu demo in a terminal</title>
<style>
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; fill: #1f2328 }
.paper { fill: #f6f8fa; stroke: #d1d9e0 } .bold { font-weight: bold } .dim { fill: #59636e }
.red { fill: #c4232c } .green { fill: #1a7f37 } .yellow { fill: #7d4e00 } .cyan { fill: #0b6b8a }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .paper { fill: #151b23; stroke: #3d444d } .dim { fill: #9198a1 }
.red { fill: #ff7b72 } .green { fill: #3fb950 } .yellow { fill: #d29922 } .cyan { fill: #56d4dd }
}
</style>
<rect class="paper" x="0.5" y="0.5" width="${width - 1}" height="${total - 1}" rx="8"/>
<circle cx="20" cy="16" r="5" fill="#ff5f57"/><circle cx="38" cy="16" r="5" fill="#febc2e"/><circle cx="56" cy="16" r="5" fill="#28c840"/>
${lines.join('\n')}
</svg>
`
}

function round(number) {
  return Math.round(number * 10) / 10
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
