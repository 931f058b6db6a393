#!/usr/bin/env bash
# Installs kugetsu, and opencode where it is missing or too old, by npm. May be run again at any time: that updates
# kugetsu and keeps everything else. Nothing is written outside of npm's prefix unless --skill or --service ask for it.
set -euo pipefail

readonly least_node=20.19.0
readonly least_opencode=1.2.0 unknown_opencode=3.0.0

usage() {
  cat <<'END'
usage: install.sh [options]
  --from <what>     what npm is to install: a tarball, a directory, or name@version
                    (default: the kugetsu that this script is a part of)
  --prefix <dir>    npm's prefix: programs go to <dir>/bin (default: npm's own)
  --no-opencode     leave opencode to you
  --skill           also give opencode the skill that tells agents how to use kugetsu
  --service         also install the systemd user unit of the queue daemon
  -h, --help        print this
END
}

say() { printf '%s\n' "$*"; }
die() {
  printf 'Error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'Hint: %s\n' "$2" >&2
  exit 1
}

# Whether version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

need_value() { [ -n "${2-}" ] || die "$1 needs a value" 'See install.sh --help.'; }

from='' prefix='' opencode=yes skill=no service=no
while [ $# -gt 0 ]; do
  case $1 in
    --from) need_value "$@"; from=$2; shift ;;
    --prefix) need_value "$@"; prefix=$2; shift ;;
    --no-opencode) opencode=no ;;
    --skill) skill=yes ;;
    --service) service=yes ;;
    -h | --help) usage; exit 0 ;;
    *) die "unknown option: $1" 'See install.sh --help.' ;;
  esac
  shift
done

# All that can be refused is refused before anything is changed.
command -v node >/dev/null || die 'there is no node on the PATH' "Install Node $least_node or newer: https://nodejs.org"
node_version=$(node -p process.versions.node)
at_least "$node_version" "$least_node" ||
  die "Node $node_version is too old" "Install Node $least_node or newer: https://nodejs.org"
command -v npm >/dev/null || die 'there is no npm on the PATH' 'It comes with Node; some distributions have it in a package of its own.'
command -v git >/dev/null || die 'there is no git on the PATH' 'Install it with the package manager of your system.'
if [ "$service" = yes ]; then
  command -v systemctl >/dev/null || die '--service needs systemd, and there is none' \
    'Run "kugetsu queue-daemon run" under what starts services here; see docs/running.md.'
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ -z "$from" ]; then
  [ -f "$root/bin/kugetsu.js" ] ||
    die 'this script is not in a copy of kugetsu' 'Say what to install: install.sh --from <tarball, directory or name@version>'
  from=$root
fi

if [ -n "$prefix" ]; then
  mkdir -p "$prefix"
  prefix=$(cd "$prefix" && pwd)
else
  prefix=$(npm prefix --global)
fi
# npm makes the directories that are missing: what counts is the nearest one that there is.
existing=$prefix/lib
while [ ! -d "$existing" ]; do existing=$(dirname "$existing"); done
[ -w "$existing" ] || die "$existing is not yours to write to" \
  'Choose a place of your own, for instance --prefix ~/.local, instead of becoming root: agents run as who installed them.'
PATH=$prefix/bin:$PATH
export PATH

# npm 12 runs the install scripts of those packages alone that it is told, and an npm that does not know how to be told
# refuses to be. Its warnings name what it has not run, so they are shown.
knows_allowing=$(npm config ls -l 2>/dev/null | grep -c '^allow-scripts = ' || true)
npm_install() {
  local allowed=$1
  shift
  [ "$knows_allowing" = 0 ] || [ -z "$allowed" ] || set -- "--allow-scripts=$allowed" "$@"
  npm install --global --prefix "$prefix" --no-fund --no-audit --loglevel=warn "$@"
}

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

if [ "$opencode" = yes ]; then
  found=$(opencode --version 2>/dev/null || true)
  found=${found#opencode v} # version 2 says "opencode v2.0.15"
  if [ -n "$found" ] && at_least "$found" "$unknown_opencode"; then
    die "opencode $found is not supported yet ($(command -v opencode)): kugetsu works with versions 1 and 2" \
      'Install version 1 beside it (npm install --prefix ~/.opencode-1 opencode-ai), set KUGETSU_OPENCODE=~/.opencode-1/node_modules/.bin/opencode, and run this with --no-opencode.'
  elif [ -n "$found" ] && at_least "$found" "$least_opencode"; then
    say "opencode $found is there already ($(command -v opencode))"
  else
    say "installing opencode${found:+ (opencode $found is too old)}"
    npm_install opencode-ai opencode-ai
    hash -r
    opencode --version >"$temporary/version" 2>&1 || {
      cat "$temporary/version" >&2
      die 'opencode was installed and does not run' 'See above; to try again: npm install --global --allow-scripts=opencode-ai opencode-ai'
    }
  fi
fi

# A directory is packed first: npm would install a link to it, and the next change to it would be live.
if [ -d "$from" ]; then
  from=$(cd "$from" && pwd)
  # A checkout brings what it is built with; an installed package is built already.
  pack=(npm pack --loglevel=error)
  if [ ! -d "$from/src" ]; then
    pack+=(--ignore-scripts)
  elif [ ! -d "$from/node_modules" ]; then
    say "fetching what kugetsu is built with"
    (cd "$from" && npm ci --no-fund --no-audit --loglevel=error)
  fi
  (cd "$temporary" && "${pack[@]}" "$from" >"$temporary/packed" 2>&1) ||
    { cat "$temporary/packed" >&2; die "$from could not be packed"; }
  packed=("$temporary"/kugetsu-*.tgz)
  [ -f "${packed[0]}" ] || die "$from is not kugetsu"
  from=${packed[0]}
fi
say "installing kugetsu into $prefix"
# Where Node has no SQLite of its own, that of an addon is used, which an install script builds.
addon=''
node -e 'process.exit(process.getBuiltinModule?.("node:sqlite") ? 0 : 1)' 2>/dev/null || addon=better-sqlite3
npm_install "$addon" "$from"

program=$prefix/bin/kugetsu
version=$("$program" --version) || die "what was installed does not run: $program" 'Run it by hand to see why.'
say "kugetsu $version ($program)"
package=$prefix/lib/node_modules/kugetsu

if [ "$skill" = yes ]; then
  skills=${XDG_CONFIG_HOME:-$HOME/.config}/opencode/skills
  if [ -e "$skills/kugetsu" ] && ! grep -qs '^name: kugetsu$' "$skills/kugetsu/SKILL.md"; then
    die "$skills/kugetsu is something else" 'Move it away and try again.'
  fi
  mkdir -p "$skills"
  rm -rf "$skills/kugetsu"
  cp -R "$package/skills/kugetsu" "$skills/kugetsu"
  say "skill: $skills/kugetsu"
fi

if [ "$service" = yes ]; then
  units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
  mkdir -p "$units"
  # A user manager has a PATH of its own; agents need the one that works here.
  sed -e "s|^ExecStart=.*|ExecStart=\"$program\" queue-daemon run|" \
    -e "s|^Environment=\"\?PATH=.*|Environment=\"PATH=$prefix/bin:$(dirname "$(command -v node)"):/usr/local/bin:/usr/bin:/bin\"|" \
    "$package/scripts/setup/kugetsu.service" >"$temporary/kugetsu.service"
  if cmp -s "$temporary/kugetsu.service" "$units/kugetsu.service"; then
    say "service: $units/kugetsu.service is as it should be"
  else
    cp "$temporary/kugetsu.service" "$units/kugetsu.service"
    say "service: $units/kugetsu.service"
  fi
  if systemctl --user daemon-reload 2>/dev/null; then
    say 'next: systemctl --user enable --now kugetsu.service; loginctl enable-linger'
  else
    say 'no user manager answers here: log in as this user (not by su), then'
    say '  systemctl --user daemon-reload && systemctl --user enable --now kugetsu.service && loginctl enable-linger'
  fi
fi

# As the person's own shell will look for it.
case ":${PATH#"$prefix/bin:"}:" in
  *":$prefix/bin:"*) ;;
  *) say "put it on the PATH: export PATH=\"$prefix/bin:\$PATH\"" ;;
esac
[ "$(id -u)" != 0 ] || say 'you are root, and agents run as who starts them: use kugetsu as a user without rights'
say 'next: kugetsu init'
