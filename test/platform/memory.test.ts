import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { availableMemory } from '../../src/platform/memory.ts'
import { killQuietly } from '../helpers/processes.ts'
import { waitFor } from '../helpers/wait-for.ts'

const mb = 1024 ** 2
/** Of the real control group. */
const limitMb = 300

let system: string
beforeEach(() => {
  system = fs.mkdtempSync(path.join(os.tmpdir(), 'kg-memory-'))
})
afterEach(() => fs.rmSync(system, { recursive: true, force: true }))

function write(name: string, text: string | number): void {
  const file = path.join(system, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, `${text}\n`)
}

/** As proc_meminfo(5): other lines, that look alike, around it. */
const machine = (megabytes: number) =>
  write(
    'proc/meminfo',
    `MemTotal:       ${megabytes * 4096} kB\nMemFree:          1234 kB\nMemAvailable:   ${megabytes * 1024} kB\nSwapTotal: 99999999 kB`,
  )
const groups = (...lines: string[]) => write('proc/self/cgroup', lines.join('\n'))
const version2 = (group: string, files: Record<string, string | number>) => {
  for (const [name, text] of Object.entries(files)) write(path.join('sys/fs/cgroup', group, `memory.${name}`), text)
}
const version1 = (group: string, files: Record<string, string | number>) => {
  for (const [name, text] of Object.entries(files))
    write(path.join('sys/fs/cgroup/memory', group, `memory.${name}`), text)
}
const available = (pid?: number) => availableMemory(system, pid)

describe('availableMemory', () => {
  it('is what the kernel says of the machine where nothing else bounds it', () => {
    machine(2000)
    expect(available()).toEqual({ mb: 2000, bound: 'machine' })
    groups('0::/user.slice/session.scope')
    version2('user.slice', { max: 'max', high: 'max', current: 10 * mb, stat: '' })
    expect(available()).toEqual({ mb: 2000, bound: 'machine' })
  })

  it('is unknown where nothing says it', () => {
    expect(available()).toBeUndefined()
    write('proc/meminfo', 'MemTotal: 100 kB')
    groups('0::/', 'nonsense', '::', '5:memory')
    expect(available()).toBeUndefined()
  })

  it('counts the file cache of a group as available, and nothing else of what it uses', () => {
    machine(8000)
    groups('0::/docker')
    version2('docker', {
      max: 1000 * mb,
      current: 900 * mb,
      stat: `anon ${300 * mb}\nfile ${500 * mb}\nactive_file ${200 * mb}\ninactive_file ${300 * mb}\nslab_reclaimable ${50 * mb}\nshmem ${40 * mb}`,
    })
    expect(available()).toEqual({ mb: 650, bound: 'control group' })
  })

  it('is the least that any group above leaves', () => {
    machine(8000)
    groups('0::/a/b/c')
    version2('a/b/c', { max: 3000 * mb, current: 100 * mb })
    version2('a', { max: 4000 * mb, current: 3800 * mb })
    expect(available()?.mb).toBe(200)
    version2('a/b', { max: 'max', high: 2500 * mb, current: 2400 * mb })
    expect(available()?.mb).toBe(100)
    version2('a/b', { current: 2600 * mb }) // above where it is slowed down
    expect(available()).toEqual({ mb: 0, bound: 'control group' })
  })

  it('is right in a container, which sees its own group as the root', () => {
    machine(8000)
    groups('0::/system.slice/docker-0123.scope')
    version2('', { max: 512 * mb, current: 112 * mb })
    expect(available()?.mb).toBe(400)
  })

  it('knows version 1 too, where no limit is a large number', () => {
    machine(8000)
    groups('9:name=systemd:/', '4:cpu,memory:/docker/0123', '0::/')
    version1('', { limit_in_bytes: '9223372036854771712', usage_in_bytes: 7000 * mb })
    expect(available()?.mb).toBe(8000)
    version1('docker/0123', {
      limit_in_bytes: 600 * mb,
      usage_in_bytes: 500 * mb,
      stat: `cache ${200 * mb}\ninactive_file 1\ntotal_inactive_file ${100 * mb}\ntotal_active_file ${50 * mb}`,
    })
    expect(available()).toEqual({ mb: 250, bound: 'control group' })
  })

  it('looks at the groups of the process that it is asked of', () => {
    machine(8000)
    groups('0::/mine')
    write('proc/4711/cgroup', '0::/service')
    version2('mine', { max: 3000 * mb, current: 0 })
    version2('service', { max: 700 * mb, current: 0 })
    expect(available()?.mb).toBe(3000)
    expect(available(4711)?.mb).toBe(700)
    expect(available(4712)?.mb).toBe(3000)
  })
})

describe('availableMemory on this machine', () => {
  it.skipIf(process.platform !== 'linux')('is some of what there is', () => {
    const found = availableMemory('/')
    expect(found?.mb).toBeGreaterThan(10)
    expect(found?.mb).toBeLessThanOrEqual(os.totalmem() / mb)
  })

  const group = ownGroup()
  afterAll(() => group?.remove())

  it.skipIf(group === undefined)(
    'sees what processes of a real control group use, and does not count file cache',
    async () => {
      const script =
        'echo $$ > "$1/cgroup.procs" && dd if=/dev/zero of="$2" bs=1M count=150 conv=fsync status=none && exec sleep 600'
      const writer = spawn('sh', ['-c', script, 'sh', group?.directory ?? '', path.join(system, 'large')], {
        stdio: 'ignore',
      })
      await waitFor('the file', () => commandOf(writer.pid) === 'sleep 600')
      const cached = availableMemory('/', writer.pid)
      expect(cached?.bound).toBe('control group')
      expect(cached?.mb).toBeGreaterThan(limitMb - 50)
      expect(cached?.mb).toBeLessThan(limitMb)
      // tail keeps all that it was given until there is no more to come.
      const hold = 'echo $$ > "$1/cgroup.procs" && { head -c 100000000 /dev/zero; exec sleep 600; } | tail'
      const holder = spawn('sh', ['-c', hold, 'sh', group?.directory ?? ''], { stdio: 'ignore' })
      await waitFor('100 MB less', () => (availableMemory('/', holder.pid)?.mb ?? Infinity) < (cached?.mb ?? 0) - 90)
      // Of this process, which is not in the group, it is no bound.
      expect(availableMemory('/')?.mb).toBeGreaterThan(cached?.mb ?? 0)
    },
  )
})

/** A control group with a limit below our own, where this user may make one and files are not kept in memory alone. */
function ownGroup(): { directory: string; remove: () => Promise<void> } | undefined {
  const tmpfs = 0x0102_1994
  try {
    const text = fs.readFileSync('/proc/self/cgroup', 'utf8')
    const old = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(text)?.[1]
    const parent = old === undefined ? `/sys/fs/cgroup${/^0::(.*)$/m.exec(text)?.[1]}` : `/sys/fs/cgroup/memory${old}`
    if (fs.statfsSync(os.tmpdir()).type === tmpfs) return undefined
    const directory = path.join(parent, `kugetsu-test-${process.pid}`)
    fs.mkdirSync(directory)
    try {
      const name = old === undefined ? 'memory.max' : 'memory.limit_in_bytes'
      fs.writeFileSync(path.join(directory, name), `${limitMb * mb}`)
    } catch {
      fs.rmdirSync(directory)
      return undefined
    }
    const remove = async () => {
      await waitFor('the end of the control group', () => {
        const pids = fs.readFileSync(path.join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)
        for (const pid of pids) killQuietly(Number(pid))
        fs.rmdirSync(directory)
        return true
      })
    }
    return { directory, remove }
  } catch {
    return undefined
  }
}

function commandOf(pid: number | undefined): string {
  return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
}
