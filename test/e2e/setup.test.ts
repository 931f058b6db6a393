/** The set-up scripts and the unit file, tried on throwaway homes; what needs root, systemd or sshd is skipped without. */
import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHome, type Home } from '../helpers/home.ts'

const directory = fileURLToPath(new URL('../../scripts/setup', import.meta.url))
const scripts = fs.readdirSync(directory).filter((name) => name.endsWith('.sh'))
const isRoot = process.getuid?.() === 0
const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

let home: Home
beforeAll(() => void (home = createHome({ findsProviders: true })))
afterAll(() => home.cleanup())

interface Ended {
  code: number | null
  out: string
  err: string
}
function run(command: string[], env: Record<string, string> = {}, input = ''): Ended {
  const [program = '', ...args] = command
  const options = { env: { ...home.env, ...env }, cwd: home.cwd, input, encoding: 'utf8', timeout: 200_000 } as const
  const { status, stdout, stderr } = spawnSync(program, args, options)
  return { code: status, out: stdout, err: stderr }
}
const script = (name: string, ...args: string[]) => [path.join(directory, name), ...args]
/** The same as a user without rights. */
const unprivileged = (command: string[]) =>
  isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...command] : command

describe('every set-up script', () => {
  it.skipIf(!has('shellcheck'))('has nothing that shellcheck objects to', () => {
    expect(run(['shellcheck', ...scripts.map((name) => path.join(directory, name))])).toEqual({
      code: 0,
      out: '',
      err: '',
    })
  })

  it.each(scripts)('is strict, and says how it is called: %s', (name) => {
    expect(fs.readFileSync(path.join(directory, name), 'utf8')).toMatch(
      /^#!\/usr\/bin\/env bash\n(#.*\n)+set -euo pipefail\n/,
    )
    const help = run(script(name, '--help'))
    expect(help).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^usage: /) })
    expect(help.out.split('\n').filter((line) => line.length > 100)).toEqual([])
    expect(run(script(name, '--nonsense'))).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^Error: .*nonsense\nHint: .*--help\.\n$/),
    })
  })
})

describe('what cannot be done', () => {
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEQkP8t9NPxONW3V4GvRRuVhEnyKftMaXY4Dtq4D99ph me'

  it.each([
    [['sshd.sh'], 'who is to log in'],
    [['sshd.sh', '--user', 'root'], 'root is not to log in'],
    [['sshd.sh', '--user', 'a b'], 'not the name of a user'],
    [['sshd.sh', '--user', 'kg', '--port', '22'], 'not a port for this: 22'],
    [['sshd.sh', '--user', 'kg', '--port', '99999'], 'not a port for this'],
    [['sshd.sh', '--user', 'kg', '--port'], '--port needs a value'],
    [['sshd.sh', '--user', 'kg', '--listen', '1.2.3.4\nPermitRootLogin yes'], 'not an address'],
    [['tailscale.sh', '--name', 'a b'], 'not a device name'],
    [['install.sh', '--from'], '--from needs a value'],
  ])('is refused before anything else: %j', ([name = '', ...args], message) => {
    expect(run(script(name, ...args))).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining(`Error: ${message}`),
    })
  })

  it.skipIf(isRoot && !has('setpriv')).each([
    ['sshd.sh', '--user', 'kg'],
    ['tailscale.sh', '--name', 'kg'],
  ])('is refused without being root: %s', (name, ...args) => {
    expect(
      run(unprivileged(['bash', '-s', '--', ...args]), {}, fs.readFileSync(path.join(directory, name), 'utf8')),
    ).toMatchObject({
      code: 1,
      err: expect.stringContaining('you are not root'),
    })
  })

  it.skipIf(!isRoot || !has('ssh-keygen') || fs.existsSync('/run/systemd/system'))(
    'is refused without systemd, or a key: sshd.sh',
    () => {
      expect(run(script('sshd.sh', '--user', 'kg-nobody', '--key', '-'), {}, key).err).toMatch(
        /^Error: no systemd runs here.*\nHint: .*--foreground/,
      )
      const inForeground = (...args: string[]) =>
        run(script('sshd.sh', '--user', 'kg-nobody', '--foreground', ...args), {}, 'nonsense').err
      expect(inForeground()).toMatch(/^Error: kg-nobody has no key to log in with\n/)
      expect(inForeground('--key', '/nonexistent')).toMatch(/^Error: there is no file \/nonexistent\n/)
      expect(inForeground('--key', '-')).toMatch(/^Error: that is no public key\n/)
      expect(spawnSync('id', ['kg-nobody']).status).not.toBe(0)
    },
  )

  const canHide = isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0
  it.skipIf(!canHide)('is refused without a tun device: tailscale.sh', () => {
    const hidden = [
      'sh',
      '-c',
      'mount -t tmpfs none /dev && exec "$@"',
      'sh',
      ...script('tailscale.sh', '--name', 'kg'),
    ]
    expect(run(['unshare', '--mount', ...hidden])).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^Error: there is no tun device.*\nHint: .*--userspace/),
    })
  })

  it('is refused with an old Node: install.sh', () => {
    const old = path.join(home.root, 'old')
    fs.mkdirSync(old)
    fs.writeFileSync(path.join(old, 'node'), '#!/bin/sh\necho 18.20.0\n', { mode: 0o755 })
    expect(run(script('install.sh'), { PATH: `${old}:${home.env['PATH']}` })).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^Error: Node 18\.20\.0 is too old\nHint: .*20\.19/),
    })
  })
})

it.each(['3.0.1', 'opencode v3.0.1'])('is refused beside an opencode of version 3, "%s": install.sh', (version) => {
  const second = path.join(home.root, 'second')
  fs.mkdirSync(second, { recursive: true })
  fs.writeFileSync(path.join(second, 'opencode'), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 })
  const prefix = path.join(home.root, 'prefix-second')
  const said = run(script('install.sh', '--prefix', prefix), { PATH: `${second}:${home.env['PATH']}` })
  expect(said).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^Error: opencode 3\.0\.1 is not supported yet.*\nHint: .*KUGETSU_OPENCODE/),
  })
  expect(fs.existsSync(path.join(prefix, 'bin'))).toBe(false)
})

describe('install.sh', () => {
  const npm = {
    // The home of a test lets opencode install nothing; this is npm's turn. Compiling the addon would take a minute.
    ...Object.fromEntries(
      Object.entries(process.env).filter(
        (entry): entry is [string, string] =>
          entry[1] !== undefined && /^npm_config_|_proxy$|^NODE_EXTRA_CA/i.test(entry[0]),
      ),
    ),
    npm_config_ignore_scripts: 'true',
    npm_config_offline: 'false',
    npm_config_registry: execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim(),
  }

  it('installs into a prefix, skill and all, and again', () => {
    const prefix = path.join(home.root, 'pre fix')
    for (const round of ['first', 'second']) {
      const { code, out, err } = run(script('install.sh', '--prefix', prefix, '--skill'), npm)
      expect(code, `${round}: ${err}`).toBe(0)
      expect(out).toMatch(/^opencode \d+\.\d+\.\d+ is there already/m)
      expect(out).toContain(
        `kugetsu ${JSON.parse(fs.readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version}`,
      )
      expect(out).toMatch(/^put it on the PATH: /m)
      const program = path.join(prefix, 'bin', 'kugetsu')
      expect(run([program, 'help']).out).toMatch(/^kugetsu - OpenCode Session Manager\n/)
      // What is installed is a copy, which does not change with the sources.
      expect(fs.lstatSync(path.join(prefix, 'lib/node_modules/kugetsu')).isSymbolicLink()).toBe(false)
      const skill = path.join(home.env['XDG_CONFIG_HOME'] ?? '', 'opencode/skills/kugetsu/SKILL.md')
      expect(fs.readFileSync(skill, 'utf8')).toMatch(/^---\nname: kugetsu\n/)
    }
  })

  it.each([
    ['allow-scripts = [""]', '--allow-scripts=opencode-ai'],
    ['audit = true', ''],
  ])('has npm run the scripts of opencode where npm has to be told, and looks whether it runs: %j', (known, told) => {
    const bin = fs.mkdtempSync(path.join(home.root, 'npm-'))
    const programs = ['bash', 'sh', 'env', 'git', 'sort', 'head', 'grep', 'cat', 'mktemp', 'rm', 'mkdir', 'dirname']
    for (const name of programs)
      fs.symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), path.join(bin, name))
    fs.symlinkSync(process.execPath, path.join(bin, 'node'))
    // Whatever it is told to install, it says so and installs nothing.
    const said = `#!/bin/sh\ncase $1 in config) echo '${known}' ;; install) echo "npm $*" >&2 ;; esac\n`
    fs.writeFileSync(path.join(bin, 'npm'), said, { mode: 0o755 })
    const { code, err } = run(script('install.sh', '--prefix', path.join(home.root, 'nothing')), { PATH: bin })
    expect(code).toBe(1)
    const call = err.split('\n').find((line) => line.startsWith('npm install --global '))
    expect(call).toMatch(/ opencode-ai$/)
    expect(/ (--allow-scripts\S+)/.exec(call ?? '')?.[1] ?? '').toBe(told)
    expect(err).toMatch(/^Error: opencode was installed and does not run\nHint: /m)
  })

  it('leaves a skill alone that is not its own', () => {
    const file = path.join(home.env['XDG_CONFIG_HOME'] ?? '', 'opencode/skills/kugetsu/SKILL.md')
    fs.writeFileSync(file, 'mine\n')
    const { code, err } = run(script('install.sh', '--prefix', path.join(home.root, 'pre fix'), '--skill'), npm)
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining('is something else') })
    expect(fs.readFileSync(file, 'utf8')).toBe('mine\n')
  })
})

describe('the systemd unit', () => {
  it.skipIf(!has('systemd-analyze'))('is one that systemd takes, without a word', () => {
    const unit = path.join(home.root, 'kugetsu.service')
    // systemd-analyze looks for the program.
    fs.writeFileSync(
      unit,
      fs
        .readFileSync(path.join(directory, 'kugetsu.service'), 'utf8')
        .replace('/usr/bin/env kugetsu', process.execPath),
    )
    const { code, out, err } = run(['systemd-analyze', 'verify', '--user', '--man=no', unit])
    expect({ code, said: `${out}${err}` }).toEqual({ code: 0, said: '' })
  })
})

/**
 * The whole script with a real sshd, in a copy of this system that is gone with its mount namespace. Needs root and sshd;
 * with KUGETSU_TEST_APT=1 the script may install it there from the network.
 */
const canCopy =
  isRoot &&
  has('ssh') &&
  (has('sshd') || fs.existsSync('/usr/sbin/sshd') || process.env['KUGETSU_TEST_APT'] === '1') &&
  spawnSync('unshare', [
    '--mount',
    'sh',
    '-c',
    'mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/m && mount -t overlay o -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/m',
  ]).status === 0

describe.skipIf(!canCopy)('sshd.sh', () => {
  it('lets one user in with a key, and nobody by anything else', () => {
    const port = 20_000 + (process.pid % 5_000) * 4
    const inside = `
      set -eu
      cd ${os.tmpdir()}
      serve() { ${directory}/sshd.sh --user kg-login --key key.pub --port ${port} --listen 127.0.0.1 --foreground >log 2>&1 & server=$!
        until grep -q 'Server listening' log; do kill -0 $server || { cat log; exit 1; }; sleep 0.1; done; }
      ssh-keygen -q -t ed25519 -N '' -f key; ssh-keygen -q -t ed25519 -N '' -f other
      login() { ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes -o IdentitiesOnly=yes -p ${port} "$@" 2>&1 || echo "refused $?"; }
      serve
      echo "key: $(login -i key kg-login@127.0.0.1 id -un)"
      echo "another key: $(login -i other kg-login@127.0.0.1 id -un)"
      echo "password: $(login -o PubkeyAuthentication=no kg-login@127.0.0.1 id -un)"
      mkdir -p /root/.ssh; cp key.pub /root/.ssh/authorized_keys
      echo "root: $(login -i key root@127.0.0.1 id -un)"
      node -e 'require("http").createServer((_, answer) => answer.end("through")).listen(${port + 1}, "127.0.0.1")' & web=$!
      login -i key -N -L 127.0.0.1:${port + 2}:127.0.0.1:${port + 1} kg-login@127.0.0.1 & forward=$!
      ask='fetch("http://127.0.0.1:${port + 2}").then((answer) => answer.text()).then(console.log, () => process.exit(1))'
      for _ in $(seq 100); do node -e "$ask" >answer && break; sleep 0.1; done
      echo "a port of there: $(cat answer)"
      kill $forward $web
      echo "a port of here: $(login -i key -N -o ExitOnForwardFailure=yes -R ${port + 3}:127.0.0.1:1 kg-login@127.0.0.1)"
      kill $server; wait $server || true
      serve
      echo "again: $(login -i key kg-login@127.0.0.1 wc -l .ssh/authorized_keys)"
      grep -q 'is as it should be' log && echo 'nothing was changed'
      kill $server; wait $server || true`
    const outside = `
      set -eu
      mount -t tmpfs t /mnt; mkdir /mnt/u /mnt/w /mnt/m
      mount -t overlay o -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/m
      mount -t proc proc /mnt/m/proc; mount --rbind /dev /mnt/m/dev; mount -t tmpfs t /mnt/m/run
      exec chroot /mnt/m bash -c "$1"`
    const { code, out, err } = run(
      ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', '-c', outside, 'bash', inside],
      { HOME: '/root', TMPDIR: '/tmp', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    )
    expect({ code, err, lines: out.replaceAll('\r', '').trim().split('\n') }).toMatchObject({
      code: 0,
      lines: [
        'key: kg-login',
        expect.stringMatching(/^another key: .*Permission denied \(publickey\)\.$/),
        'refused 255',
        expect.stringMatching(/^password: .*Permission denied \(publickey\)\.$/),
        'refused 255',
        expect.stringMatching(/^root: .*Permission denied \(publickey\)\.$/),
        'refused 255',
        'a port of there: through',
        expect.stringMatching(/^a port of here: .*remote port forwarding failed/),
        'refused 255',
        'again: 1 .ssh/authorized_keys',
        'nothing was changed',
      ],
    })
  })
})
