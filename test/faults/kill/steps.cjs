// Loaded into every kugetsu of the kill tests by NODE_OPTIONS, in whatever version of Node: it sees each step by which
// the process changes anything (a file, a program, a request, a row), writes it down, and springs the trap that is set
// for it. So no step can be forgotten, and the program itself knows nothing of it.
const fs = require('node:fs')
const http = require('node:http')
const childProcess = require('node:child_process')
const Module = require('node:module')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')

const directory = process.env.KUGETSU_TEST_STEPS
const home = process.env.KUGETSU_DIR
const plain = { ...fs }

if (directory !== undefined && home !== undefined && /(?:kugetsu|cleaner)\.m?js$/.test(process.argv[1] ?? '')) {
  watchFiles()
  watchPrograms()
  watchRequests()
  watchRows()
  Module.syncBuiltinESMExports()
}

const role = process.argv[2] === 'supervise' ? 'daemon' : 'command'
let armed
let within
let met = 0

/** Tells of a step and runs it. What takes its time is given to `during`, which springs the trap in the midst of it. */
function step(name, run, during) {
  if (name === within) return run() // Node's own way of doing it
  const outer = within
  within = name
  try {
    return alone(name, run, during)
  } finally {
    within = outer
  }
}

function alone(name, run, during) {
  plain.appendFileSync(path.join(directory, 'trace'), `${role}\t${name}\n`)
  const trap = trapFor(name)
  if (trap?.when === 'before') spring(trap)
  const result = run()
  if (trap !== undefined && trap.when !== 'before' && during === undefined) spring(trap)
  if (trap !== undefined && trap.when !== 'before') during?.(trap, result)
  return result
}

function trapFor(name) {
  let trap
  try {
    trap = JSON.parse(plain.readFileSync(path.join(directory, 'trap.json'), 'utf8'))
  } catch {
    return undefined // none is set
  }
  if (trap.id !== armed) met = 0
  armed = trap.id
  if (trap.role !== role || (trap.step !== undefined && trap.step !== name)) return undefined
  met += 1
  return met === trap.nth ? trap : undefined
}

/** Once, by one process. */
function spring(trap, child) {
  try {
    plain.renameSync(path.join(directory, 'trap.json'), path.join(directory, 'sprung.json'))
  } catch {
    return
  }
  for (const victim of trap.kill) {
    if (victim === 'server') kill(-(pidIn('opencode/server.json') ?? 0))
    if (victim === 'daemon') kill(pidIn('queue/daemon.pid') ?? 0)
    if (victim === 'child' && child?.pid !== undefined) kill(child.pid)
  }
  if (trap.kill.includes('self')) process.kill(process.pid, 'SIGKILL')
}

/** Whatever else goes on in the process meanwhile: it might end. */
function pause({ delayMs = 0 }) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs)
}

function kill(pid) {
  try {
    if (pid !== 0) process.kill(pid, 'SIGKILL')
  } catch {
    // it is gone
  }
}

function pidIn(file) {
  try {
    const text = plain.readFileSync(path.join(home, file), 'utf8')
    return file.endsWith('.json') ? JSON.parse(text).pid : Number(text)
  } catch {
    return undefined
  }
}

function watchFiles() {
  const wrap = (name, tell) => {
    const original = fs[name]
    fs[name] = (...args) => {
      const told = tell(...args)
      return told === undefined ? original(...args) : step(told, () => original(...args))
    }
  }
  const at = (verb) => (file) => named(verb, file)
  const gone = (file) => (fs.existsSync(file) ? named(isTemporary(file) ? 'clear' : 'delete', file) : undefined)
  wrap('mkdirSync', (file) => (fs.existsSync(file) ? undefined : named('make', file)))
  for (const name of ['unlinkSync', 'rmSync', 'rmdirSync']) wrap(name, gone)
  wrap('symlinkSync', (_, file) => named('create', file))
  wrap('copyFileSync', (_, file) => named('create', file))
  wrap('truncateSync', at('cut'))
  wrap('linkSync', (_, file) => named('create', file))
  wrap('renameSync', (from, to) => {
    if (isTemporary(from)) return named('put', to)
    return isTemporary(to) ? named('move away', from) : named('move', from)
  })
  wrap('openSync', (file, flags) => {
    if (typeof flags === 'number') return flags & fs.constants.O_APPEND ? named('append to', file) : undefined
    if (flags === 'r' || flags === undefined) return undefined
    return isTemporary(file) ? named('write', file) : named('create', file)
  })
  wrap('writeFileSync', (file) => (typeof file === 'number' ? undefined : named('create', file)))
  wrap('appendFileSync', at('append to'))
  const { rm } = fs.promises
  fs.promises.rm = async (file, options) =>
    step(
      named('clear', file),
      () => rm(file, options),
      (trap, done) =>
        void (trap.when === 'after' ? done : Promise.race([done, sleep(trap.delayMs)])).then(() => spring(trap)),
    )
}

function isTemporary(file) {
  return /^\..+\.\d+(?:\.\w+|-\w*\.\w+\.tmp)$/.test(path.basename(String(file)))
}

/** A step on a file of the home, in terms that are the same for every issue; undefined for others. */
function named(verb, file) {
  const relative = path.relative(home, String(file))
  if (relative.startsWith('..') || relative === '') return undefined
  const place = relative
    .replace(/\.([^/]+?)\.\d+-\w*\.[0-9a-f]{8}\.tmp(?=\/|$)/, '$1 (temporary)')
    .replace(/\.([^/]+?)\.\d+\.[0-9a-z]+$/, '$1') // what it is to be
    .replace(/^repos\/(?!.*\.git).*/, 'repos')
    .replace(/^repos\/[^/]+\/[^/]+\/([^/]+?)\.git/, '<mirror>')
    .replace(/[\w.]+-me-[a-z]+\d*-\d+/g, '<issue>')
    .replace(/\bses_\w+/g, '<session>')
    .replace(/\bq_\d+/g, '<item>')
    .replace(/^slots\/[^/]+\.(slot|held|run)$/, 'slots/<slot>.$1')
    .replace(/^queue\/numbers\/\d+$/, 'queue/numbers/<number>')
    .replace(/^locks\/.*/, 'locks/<lock>')
    .replace(/^said\/.*/, 'said/<what>')
  return `${verb} ${place}`
}

function watchPrograms() {
  const { spawn } = childProcess
  childProcess.spawn = (program, args, options) =>
    step(
      commandName(program, args),
      () => spawn(program, args, options),
      (trap, child) => {
        pause(trap)
        spring(trap, child)
      },
    )
}

function commandName(program, args) {
  if (args.at(-1) === 'supervise') return 'run the daemon'
  const words = [...args]
  while (words[0] === '-c') words.splice(0, 2)
  const [first, ...rest] = words.filter((word) => /^[a-z-]+$/.test(word))
  const second = first === 'worktree' ? ` ${rest.find((word) => !word.startsWith('-'))}` : ''
  return `run ${path.basename(program)} ${first}${second}`
}

function watchRequests() {
  const { request } = http
  http.request = (url, options, answered) => {
    if ((options.method ?? 'GET') === 'GET') return request(url, options, answered)
    const route = new URL(url).pathname.replace(/\bses_\w+/g, '<session>').replace(/\bper_\w+/g, '<request>')
    return step(
      `${options.method} ${route}`,
      () => request(url, options, answered),
      (trap, sent) => {
        const on = trap.when === 'during' ? 'finish' : 'response'
        sent.prependListener(on, () => {
          pause(trap)
          spring(trap)
        })
      },
    )
  }
}

function watchRows() {
  const load = Module['_load']
  Module['_load'] = (id, ...rest) => {
    const loaded = load(id, ...rest)
    if (id !== 'better-sqlite3' || loaded.prototype.isWatched) return loaded
    const { prepare } = loaded.prototype
    loaded.prototype.isWatched = true
    loaded.prototype.prepare = function (sql) {
      const statement = prepare.call(this, sql)
      const verb = /^(UPDATE|INSERT INTO|DELETE FROM) (\w+)/.exec(sql)
      if (verb === null) return statement
      return { run: (...values) => step(`${verb[1]} ${verb[2]}`, () => statement.run(...values)) }
    }
    return loaded
  }
}
