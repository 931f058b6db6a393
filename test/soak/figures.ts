/** What a home, its daemon and its opencode server have taken so far. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { memoryOf } from '../bench/process-figures.ts'
import type { Stage } from '../helpers/stage.ts'

export interface Figures {
  /** Tasks that have ended. */
  tasks: number
  seconds: number
  daemon: ProcessFigures
  server: ProcessFigures
  /** The kugetsu home, without worktrees and mirrors. */
  state: Taken
  mirrors: Taken
  /** What opencode keeps: its database, its logs, its snapshots. */
  opencode: Taken
  /** The files under some places, by name. */
  counts: Record<string, number>
}

interface ProcessFigures {
  pid: number
  /** Proportional set size in bytes; 0 when it does not run. */
  memory: number
  /** Open file descriptors. */
  handles: number
}

interface Taken {
  files: number
  /** As the disk counts it. */
  bytes: number
}

export function figuresOf(stage: Stage, tasks: number, seconds: number): Figures {
  const at = (...parts: string[]) => path.join(stage.home.kugetsuDir, ...parts)
  const daemon = Number(fs.readFileSync(at('queue', 'daemon.pid'), 'utf8'))
  const names = (...parts: string[]) => (fs.existsSync(at(...parts)) ? fs.readdirSync(at(...parts)) : [])
  const places = ['repos', 'worktrees'].map((name) => at(name))
  return {
    tasks,
    seconds,
    daemon: processFigures(daemon),
    server: processFigures(stage.server()?.pid ?? 0),
    state: takenBy(stage.home.kugetsuDir, (place) => places.includes(place)),
    mirrors: takenBy(at('repos')),
    opencode: takenBy(stage.home.opencodeData),
    counts: {
      items: names('queue', 'items').filter((name) => name.endsWith('.json')).length,
      sessions: names('sessions').length,
      transcripts: names('logs').filter((name) => name.startsWith('dev-')).length,
      ended: names('queue', 'ended').length,
      numbers: names('queue', 'numbers').length,
      slots: stage.slots().length,
      locks: names('locks').length,
      remembered: names('context').length,
      snapshots: snapshotsIn(stage.home.opencodeData),
    },
  }
}

/** How many worktrees opencode has snapshots of. */
function snapshotsIn(data: string): number {
  const root = path.join(data, 'snapshot')
  if (!fs.existsSync(root)) return 0
  return fs.readdirSync(root).flatMap((project) => fs.readdirSync(path.join(root, project))).length
}

function processFigures(pid: number): ProcessFigures {
  return { pid, memory: memoryOf([pid]), handles: handlesOf(pid) }
}

function handlesOf(pid: number): number {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

/** Everything below a directory; files may come and go meanwhile. */
function takenBy(directory: string, isLeftOut: (place: string) => boolean = () => false): Taken {
  const taken = { files: 0, bytes: 0 }
  let entries: fs.Dirent[]
  try {
    entries = fs.readdirSync(directory, { withFileTypes: true })
  } catch {
    return taken
  }
  for (const entry of entries) {
    const place = path.join(directory, entry.name)
    if (isLeftOut(place)) continue
    taken.files += 1
    taken.bytes += (fs.lstatSync(place, { throwIfNoEntry: false })?.blocks ?? 0) * 512
    if (!entry.isDirectory()) continue
    const below = takenBy(place, isLeftOut)
    taken.files += below.files
    taken.bytes += below.bytes
  }
  return taken
}
