#!/usr/bin/env bash
# Puts this machine into a Tailscale network, so that it can be reached without a public address or an open port.
# May be run again at any time: what is as it should be is left alone. For Debian, Ubuntu and Fedora, as root.
set -euo pipefail

usage() {
  cat <<'END'
usage: tailscale.sh [options]
  --name <device>        what the machine is called in the network (default: its host name)
  --auth-key-file <file> a key from the admin console, - for standard input; without
                         one a link to log in by is shown
  --userspace            do without a tun device, for containers that have none
  -h, --help             print this
END
}

say() { printf '%s\n' "$*"; }
die() {
  printf 'Error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'Hint: %s\n' "$2" >&2
  exit 1
}
need_value() { [ -n "${2-}" ] || die "$1 needs a value" 'See tailscale.sh --help.'; }

name='' key_file='' userspace=no
while [ $# -gt 0 ]; do
  case $1 in
    --name) need_value "$@"; name=$2; shift ;;
    --auth-key-file) need_value "$@"; key_file=$2; shift ;;
    --userspace) userspace=yes ;;
    -h | --help) usage; exit 0 ;;
    *) die "unknown option: $1" 'See tailscale.sh --help.' ;;
  esac
  shift
done

# All that can be refused is refused before anything is changed.
name=${name:-$(hostname -s)}
[[ $name =~ ^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$ ]] || die "not a device name: $name" 'Letters, digits and hyphens: --name build-box'
[ "$(id -u)" = 0 ] || die 'this changes the system, and you are not root' "Run it as root: sudo $0 …"
if [ "$userspace" = no ] && [ ! -c /dev/net/tun ]; then
  die 'there is no tun device (/dev/net/tun)' \
    'Give the container one (--device /dev/net/tun --cap-add NET_ADMIN), or use --userspace.'
fi

# Whether tailscaled answers, whoever has started it.
daemon_answers() { command -v tailscale >/dev/null && tailscale status --json >/dev/null 2>&1; }
systemd_runs() { [ -d /run/systemd/system ]; }
how_to_run="tailscaled --state=/var/lib/tailscale/tailscaled.state$([ "$userspace" = no ] || printf ' --tun=userspace-networking')"
if ! systemd_runs && command -v tailscaled >/dev/null && ! daemon_answers; then
  die 'tailscaled does not run, and no systemd runs here to start it with' \
    "Have what starts services here run it, then call this again: $how_to_run"
fi

key=''
if [ -n "$key_file" ]; then
  if [ "$key_file" = - ]; then key=$(cat); else
    [ -f "$key_file" ] || die "there is no file $key_file"
    key=$(cat "$key_file")
  fi
  key=${key//[[:space:]]/}
  case $key in tskey-*) ;; *) die 'that is no auth key' 'It begins with tskey-; make one under Settings, Keys of the admin console.' ;; esac
fi

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# The vendor's repository, with its key, as https://tailscale.com/kb/1347/installation describes it.
add_repository() {
  local at=https://pkgs.tailscale.com/stable
  case " $ID ${ID_LIKE-} " in
    *' debian '* | *' ubuntu '*)
      local distribution=debian codename=${VERSION_CODENAME-}
      case " $ID ${ID_LIKE-} " in *' ubuntu '*) distribution=ubuntu codename=${UBUNTU_CODENAME-$codename} ;; esac
      [ -n "$codename" ] || die 'this release has no code name' 'Install tailscale by hand: https://tailscale.com/download'
      curl -fsSL --retry 2 -o "$temporary/key" "$at/$distribution/$codename.noarmor.gpg" ||
        die "there are no packages for $distribution $codename, or $at cannot be reached" 'Install tailscale by hand: https://tailscale.com/download'
      curl -fsSL --retry 2 -o "$temporary/list" "$at/$distribution/$codename.tailscale-keyring.list" || die "$at cannot be reached"
      install -D -m 644 "$temporary/key" /usr/share/keyrings/tailscale-archive-keyring.gpg
      install -D -m 644 "$temporary/list" /etc/apt/sources.list.d/tailscale.list
      ;;
    *' fedora '*)
      curl -fsSL --retry 2 -o "$temporary/repo" "$at/fedora/tailscale.repo" || die "$at cannot be reached"
      install -D -m 644 "$temporary/repo" /etc/yum.repos.d/tailscale.repo
      ;;
    *) die "$ID is none of Debian, Ubuntu and Fedora" 'Install tailscale by hand and call this again: https://tailscale.com/download' ;;
  esac
}

if ! command -v tailscaled >/dev/null; then
  [ -r /etc/os-release ] || die 'it cannot be told which system this is' 'Install tailscale by hand and call this again.'
  # shellcheck disable=SC1091 # not ours
  . /etc/os-release
  command -v curl >/dev/null || die 'there is no curl' 'Install it with the package manager of your system.'
  say 'installing tailscale'
  add_repository
  if command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq tailscale; } >/dev/null || die 'tailscale could not be installed' 'See what apt-get says: apt-get install tailscale'
  else
    dnf install -y -q tailscale || die 'tailscale could not be installed' 'See what dnf says: dnf install tailscale'
  fi
fi

if ! daemon_answers; then
  systemd_runs || die 'tailscale is installed; its daemon has to be run by what starts services here' \
    "Have it run this, then call this again: $how_to_run"
  if [ "$userspace" = yes ]; then
    printf '[Service]\nEnvironment="FLAGS=--tun=userspace-networking"\n' >"$temporary/userspace.conf"
    install -D -m 644 "$temporary/userspace.conf" /etc/systemd/system/tailscaled.service.d/userspace.conf
    systemctl daemon-reload
  fi
  systemctl enable --quiet --now tailscaled.service || die 'tailscaled does not start' 'See why: journalctl -u tailscaled.service'
  for _ in $(seq 50); do
    if daemon_answers; then break; fi
    sleep 0.2
  done
  daemon_answers || die 'tailscaled does not answer' 'See why: journalctl -u tailscaled.service'
fi

if tailscale status --json | tr -d ' \n' | grep -q '"BackendState":"Running"'; then
  tailscale set --hostname="$name"
  say "in the network already, as $name"
elif [ -n "$key" ]; then
  # By a file: arguments show in every list of processes.
  (umask 077 && printf '%s\n' "$key" >"$temporary/auth-key")
  tailscale up --hostname="$name" --auth-key="file:$temporary/auth-key"
  say "in the network, as $name"
else
  say 'open the link in a browser, and log in:'
  tailscale up --hostname="$name"
  say "in the network, as $name"
fi

address=$(tailscale ip -4 2>/dev/null | head -n 1 || true)
say "address: ${address:-see tailscale ip}"
say "next: sshd.sh --user <name> --key <file>${address:+ --listen $address}, then from another device of the network: ssh -p 2222 <name>@$name"
