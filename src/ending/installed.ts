/** What was installed for kugetsu outside of its home: the systemd unit, the completion scripts, the skill. */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Home } from '../config/home.ts'
import { builtins } from '../core/builtins.ts'
import { readText } from '../platform/files.ts'

const systemctlMs = 30_000

/**
 * Removes what docs/running.md and docs/installing.md tell people to install, if the file is kugetsu's by its first lines,
 * and if this is the usual home: the files serve all homes. Returns the paths of what was removed.
 */
export function removeInstalled(home: Home): string[] {
  if (home.paths.home !== path.join(home.userHome, '.kugetsu')) return []
  const config = home.env['XDG_CONFIG_HOME'] || path.join(home.userHome, '.config')
  const data = home.env['XDG_DATA_HOME'] || path.join(home.userHome, '.local', 'share')
  const unit = path.join(config, 'systemd', 'user', 'kugetsu.service')
  const skill = path.join(config, 'opencode', 'skills', 'kugetsu')
  const removed: string[] = []
  if (begins(unit, /^# The queue daemon of a user/)) {
    systemctl(home, 'disable', '--now', 'kugetsu.service')
    fs.rmSync(path.join(path.dirname(unit), 'default.target.wants', 'kugetsu.service'), { force: true })
    fs.rmSync(unit)
    systemctl(home, 'daemon-reload')
    removed.push(unit)
  }
  for (const script of [
    path.join(data, 'bash-completion', 'completions', 'kugetsu'),
    path.join(config, 'fish', 'completions', 'kugetsu.fish'),
  ]) {
    if (!begins(script, /^# (bash|fish) completion of kugetsu: /)) continue
    fs.rmSync(script)
    removed.push(script)
  }
  // A skill with files of a person's own stays.
  if (begins(path.join(skill, 'SKILL.md'), /^---\nname: kugetsu\n/) && fs.readdirSync(skill).length === 1) {
    fs.rmSync(skill, { recursive: true })
    removed.push(skill)
  }
  return removed
}

function begins(file: string, pattern: RegExp): boolean {
  try {
    return pattern.test(readText(file) ?? '')
  } catch {
    return false
  }
}

/** Does nothing where no user manager answers: then none runs the unit. */
function systemctl(home: Home, ...args: string[]): void {
  try {
    builtins.childProcess.spawnSync('systemctl', ['--user', ...args], {
      env: home.env,
      stdio: 'ignore',
      timeout: systemctlMs,
    })
  } catch {
    // see above
  }
}
