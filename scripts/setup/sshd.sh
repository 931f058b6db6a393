#!/usr/bin/env bash
# Sets up an SSH server for one user: login by key only, nobody else, never root, on a port of its own. It has its own
# configuration file and service: an SSH server that runs here already is not touched, so nobody is locked out.
# May be run again at any time: what is as it should be is left alone. For Debian, Ubuntu and their like, as root.
set -euo pipefail

readonly config=/etc/ssh/kugetsu_sshd_config
readonly unit=/etc/systemd/system/kugetsu-sshd.service

usage() {
  cat <<'END'
usage: sshd.sh --user <name> [options]
  --user <name>      who may log in; made, without a password, if there is no such user
  --key <file>       their public key, - for standard input; not needed when they have one already
  --port <number>    where to listen, 1024 to 65535 (default: 2222)
  --listen <address> listen on this address alone, for instance that of Tailscale (default: all)
  --foreground       stay and serve, for containers, instead of installing a systemd service
  -h, --help         print this
END
}

say() { printf '%s\n' "$*"; }
die() {
  printf 'Error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'Hint: %s\n' "$2" >&2
  exit 1
}
need_value() { [ -n "${2-}" ] || die "$1 needs a value" 'See sshd.sh --help.'; }

user='' key='' port=2222 listen='' foreground=no
while [ $# -gt 0 ]; do
  case $1 in
    --user) need_value "$@"; user=$2; shift ;;
    --key) need_value "$@"; key=$2; shift ;;
    --port) need_value "$@"; port=$2; shift ;;
    --listen) need_value "$@"; listen=$2; shift ;;
    --foreground) foreground=yes ;;
    -h | --help) usage; exit 0 ;;
    *) die "unknown option: $1" 'See sshd.sh --help.' ;;
  esac
  shift
done

# All that can be refused is refused before anything is changed.
[[ $user =~ ^[a-z_][a-z0-9_-]{0,31}$ ]] || die "${user:+not the name of a user: $user}${user:-who is to log in?}" 'Say it: --user kugetsu'
[ "$user" != root ] || die 'root is not to log in' 'Agents run as who starts them: name a user without rights, it is made if need be.'
if ! [[ $port =~ ^[1-9][0-9]{3,4}$ ]] || ((port < 1024 || port > 65535)); then
  die "not a port for this: $port" 'Use 1024 to 65535.'
fi
[[ $listen =~ ^[0-9A-Za-z.:%-]*$ ]] || die "not an address: $listen"
[ "$(id -u)" = 0 ] || die 'this changes the system, and you are not root' "Run it as root: sudo $0 …"
if [ "$foreground" = no ] && [ ! -d /run/systemd/system ]; then
  die 'no systemd runs here, so there is nothing to start the service with' \
    'In a container let --foreground be its main process, or put it under its init.'
fi
if id -u "$user" >/dev/null 2>&1; then
  [ "$(id -u "$user")" != 0 ] || die "$user is root by another name"
fi

keys=''
if [ -n "$key" ]; then
  if [ "$key" = - ]; then keys=$(cat); else
    [ -f "$key" ] || die "there is no file $key" 'It is the file that ends in .pub.'
    keys=$(cat "$key")
  fi
  [ -n "$keys" ] || die 'the key is empty'
  case $keys in *'PRIVATE KEY'*) die 'that is a private key' 'Give the file that ends in .pub; keep this one to yourself.' ;; esac
  # ssh-keygen comes with the client, which may be missing as well; then it is checked below.
  if command -v ssh-keygen >/dev/null; then
    printf '%s\n' "$keys" | ssh-keygen -l -f - >/dev/null 2>&1 || die 'that is no public key' 'It looks like: ssh-ed25519 AAAA… me@laptop'
  fi
fi
home_of() { getent passwd "$user" | cut -d: -f6; }
if [ -z "$keys" ]; then
  present=$(home_of || true)
  [ -s "${present:-/nonexistent}/.ssh/authorized_keys" ] ||
    die "$user has no key to log in with" 'Give one: --key me.pub'
fi

sshd=$(command -v sshd || PATH=/usr/sbin:/usr/local/sbin command -v sshd || true)
if [ -z "$sshd" ]; then
  command -v apt-get >/dev/null || die 'there is no sshd, and no apt-get to install it with' \
    'Install the OpenSSH server with the package manager of your system and try again.'
  say 'installing openssh-server'
  # Debian starts the service of a package at once, with passwords allowed on port 22: not on our account.
  policy=/usr/sbin/policy-rc.d
  made_policy=no
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=yes
  fi
  installed=yes
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends openssh-server; } >/dev/null || installed=no
  [ "$made_policy" = no ] || rm -f "$policy"
  [ "$installed" = yes ] || die 'openssh-server could not be installed' 'See what apt-get says: apt-get install openssh-server'
  # What it would start at the next boot. One that was there before is left as it is: this is not reached then.
  if [ -d /run/systemd/system ]; then systemctl disable --quiet ssh.service ssh.socket 2>/dev/null || true; fi
  sshd=/usr/sbin/sshd
fi

if ! id -u "$user" >/dev/null 2>&1; then
  useradd --create-home --shell /bin/bash "$user"
  # No password, rather than a locked account: sshd lets nobody into one of those without PAM.
  usermod --password '*' "$user"
  say "made the user $user, without a password"
fi
home=$(home_of)
[ -d "$home" ] || die "$user has no home directory ($home)"

if [ -n "$keys" ]; then
  printf '%s\n' "$keys" | ssh-keygen -l -f - >/dev/null 2>&1 || die 'that is no public key' 'It looks like: ssh-ed25519 AAAA… me@laptop'
  # As that user: in their home links of theirs must not lead root to other files.
  # shellcheck disable=SC2016 # $1 is for the inner shell
  printf '%s\n' "$keys" | runuser -u "$user" -- sh -c '
    set -eu
    umask 077
    mkdir -p "$1/.ssh"
    chmod 700 "$1/.ssh"
    file=$1/.ssh/authorized_keys
    touch "$file"
    chmod 600 "$file"
    [ -z "$(tail -c 1 "$file")" ] || echo >>"$file"
    while IFS= read -r line; do
      [ -z "$line" ] || grep -qxF -e "$line" "$file" || printf "%s\n" "$line" >>"$file"
    done
  ' sh "$home"
fi

mkdir -p /etc/ssh
ssh-keygen -A >/dev/null
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
{
  say "# Written by kugetsu's sshd.sh, which replaces it when it is run again."
  say "Port $port"
  [ -z "$listen" ] || say "ListenAddress $listen"
  for type in ed25519 ecdsa rsa; do
    [ ! -f "/etc/ssh/ssh_host_${type}_key" ] || say "HostKey /etc/ssh/ssh_host_${type}_key"
  done
  cat <<END
PidFile /run/kugetsu-sshd.pid

AllowUsers $user
PermitRootLogin no
AuthenticationMethods publickey
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
UsePAM yes
MaxAuthTries 3
LoginGraceTime 30

# Forwarding from there to here (ssh -L) is what remote access stands on; the rest opens more than it is worth. Agents run
# as this user: they could use a forwarded agent of keys.
AllowTcpForwarding local
AllowStreamLocalForwarding no
AllowAgentForwarding no
GatewayPorts no
PermitTunnel no
X11Forwarding no

ClientAliveInterval 60
ClientAliveCountMax 3
AcceptEnv LANG LC_*
PrintMotd no
Subsystem sftp internal-sftp
END
} >"$fresh"

mkdir -p /run/sshd
chmod 755 /run/sshd
"$sshd" -t -f "$fresh" || die 'sshd refuses the configuration' "It is OpenSSH $("$sshd" -V 2>&1 | head -n 1); 8.7 or newer is needed."
changed=no
if ! cmp -s "$fresh" "$config"; then
  install -m 644 "$fresh" "$config"
  changed=yes
fi
say "$config$([ "$changed" = yes ] || printf ' is as it should be')"

# What counts is what sshd makes of it.
effective=$("$sshd" -T -f "$config" -C "user=$user,host=localhost,addr=127.0.0.1")
for line in "port $port" 'passwordauthentication no' 'kbdinteractiveauthentication no' 'permitrootlogin no' "allowusers $user"; do
  grep -qix -- "$line" <<<"$effective" || die "sshd does not take over \"$line\" from $config"
done

if [ "$foreground" = yes ]; then
  say "serving $user on port $port"
  trap - EXIT
  rm -f "$fresh"
  exec "$sshd" -D -e -f "$config"
fi

cat >"$fresh" <<END
# Written by kugetsu's sshd.sh.
[Unit]
Description=SSH for kugetsu, port $port, by key only
Documentation=man:sshd(8)
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
ExecStartPre=$sshd -t -f $config
ExecStart=$sshd -D -f $config
ExecReload=/bin/kill -HUP \$MAINPID
KillMode=process
Restart=on-failure
RestartSec=5s

[Install]
WantedBy=multi-user.target
END
if ! cmp -s "$fresh" "$unit"; then
  install -m 644 "$fresh" "$unit"
  systemctl daemon-reload
  changed=yes
fi
systemctl enable --quiet kugetsu-sshd.service
if [ "$changed" = yes ]; then systemctl restart kugetsu-sshd.service; else systemctl start kugetsu-sshd.service; fi
systemctl is-active --quiet kugetsu-sshd.service || die 'the service does not stay up' 'See why: journalctl -u kugetsu-sshd.service'
say "kugetsu-sshd.service serves $user on port $port: ssh -p $port $user@$(hostname)"
