import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { Row } from './bench.ts'
import { filledHome } from './filled-home.ts'
import { emptyNode, interleave, kugetsu, timeOf } from './measure.ts'
import { projectRoot } from './paths.ts'

/** kugetsu as one executable file: how large it is, and how fast it starts. */
export const binary: Row = {
  name: 'binary',
  title: 'one executable file, beside node -e 0 and beside kugetsu on Node',
  run: async (bench) => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kugetsu-bench-binary-'))
    bench.afterwards(() => fs.rmSync(directory, { recursive: true, force: true }))
    bench.doing('building it')
    const program = path.join(directory, 'kugetsu')
    execFileSync(process.execPath, [path.join(projectRoot, 'scripts', 'build-binary.mjs'), program], { stdio: 'pipe' })
    bench.figure('size', {
      unit: 'MB',
      measured: [fs.statSync(program).size / 1e6],
      baseline: [fs.statSync(process.execPath).size / 1e6],
      against: 'Node itself',
      limit: 1,
    })
    const home = filledHome(bench, 10)
    for (const args of [['--version'], ['list'], ['queue', 'list']]) {
      bench.doing(args.join(' '))
      const samples = await interleave(bench.rounds(30), {
        binary: () => timeOf({ ...kugetsu(home), program, args }),
        kugetsu: () => timeOf(kugetsu(home, ...args)),
        node: () => timeOf(emptyNode(home)),
      })
      const [what, measured] = [args.join(' '), samples.binary]
      bench.figure(what, { unit: 'ms', measured, baseline: samples.node, against: 'node -e 0', limit: 1.5 })
      bench.figure(what, { unit: 'ms', measured, baseline: samples.kugetsu, against: 'the same on Node', limit: 1.1 })
    }
  },
}
