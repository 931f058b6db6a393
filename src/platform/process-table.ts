/** What /proc shows of the other processes of this machine. Linux only: elsewhere it is empty. */
import * as fs from 'node:fs'
import * as path from 'node:path'

/** A process as it was when the table was read. */
export interface Listed {
  pid: number
  parent: number
  /** The variables it was started with; undefined when they may not be read. */
  variables: ReadonlyMap<string, string> | undefined
}

/** All living processes except the calling one. */
export function processTable(): Listed[] {
  return pids().flatMap((pid) => {
    const parent = pid === process.pid ? undefined : parentOf(pid)
    return parent === undefined ? [] : [{ pid, parent, variables: variablesOf(pid) }]
  })
}

/** The calling process and its ancestors, by pid. */
export function ownLine(): number[] {
  const line = [process.pid]
  for (let pid = process.ppid; pid > 1 && !line.includes(pid); pid = parentOf(pid) ?? 0) line.push(pid)
  return line
}

/** The working directory of a process, without symbolic links; undefined when that may not be read. */
export function workingDirectoryOf(pid: number): string | undefined {
  return linkAt(`/proc/${pid}/cwd`)
}

/**
 * The pipes and sockets that a process has open, as the system names them: `pipe:[4711]`, the same at both ends, and
 * `socket:[4711]`. With `files`, only those of its files with these numbers. Empty when that may not be read.
 */
export function streamsOf(pid: number, files?: readonly number[]): string[] {
  try {
    const directory = `/proc/${pid}/fd`
    return (files?.map(String) ?? fs.readdirSync(directory)).flatMap((name) => {
      const target = linkAt(path.join(directory, name)) ?? ''
      return /^(?:pipe|socket):\[\d+\]$/.test(target) ? [target] : []
    })
  } catch {
    return []
  }
}

/** The command line of a process, its arguments separated by spaces; empty when it is gone. */
export function commandLineOf(pid: number): string {
  return read(pid, 'cmdline')?.replaceAll('\0', ' ').trim() ?? ''
}

function pids(): number[] {
  try {
    return fs
      .readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

/** Undefined when the process is gone, or has ended and waits for its parent to notice. */
function parentOf(pid: number): number | undefined {
  const stat = read(pid, 'stat')
  // The second field is the program's name in brackets and may hold spaces and brackets itself.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[1])
}

function variablesOf(pid: number): ReadonlyMap<string, string> | undefined {
  const text = read(pid, 'environ')
  if (text === undefined) return undefined
  return new Map(
    text.split('\0').flatMap((each) => {
      const at = each.indexOf('=')
      return at < 1 ? [] : [[each.slice(0, at), each.slice(at + 1)]]
    }),
  )
}

function linkAt(file: string): string | undefined {
  try {
    return fs.readlinkSync(file)
  } catch {
    return undefined
  }
}

function read(pid: number, name: string): string | undefined {
  try {
    return fs.readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return undefined
  }
}
